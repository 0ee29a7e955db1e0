//! The time limit of requests.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Responds with 408 if the body does not arrive or the handler does not finish in time. Streams are not limited: their
/// responses begin at once.
pub async fn deadline(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        // The rest of the body is not read (RFC 9110, section 15.5.9).
        Err(_) => ([(CONNECTION, HeaderValue::from_static("close"))], Problem::TOO_SLOW).into_response(),
    }
}
