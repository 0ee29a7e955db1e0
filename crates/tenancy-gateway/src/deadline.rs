//! How long a request may take.

use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

const LONGEST: Duration = Duration::from_secs(30);

/// Ends a request whose body does not come, or that is not done in time: it would keep its connection for
/// good. A stream of events is not meant: it begins at once, and has no end.
pub async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(LONGEST, next.run(request)).await {
        Ok(response) => response,
        // What is left of the body is not waited for (RFC 9110, section 15.5.9).
        Err(_) => ([(CONNECTION, HeaderValue::from_static("close"))], Problem::TOO_SLOW).into_response(),
    }
}
