//! A line in the log for each request.

use std::time::Instant;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span, info, info_span};

/// No path of this service is longer, and the log is not for the caller to fill.
const LONGEST_PATH: usize = 200;
/// Nor is any method, though a client may call it anything.
const LONGEST_METHOD: usize = 20;

/// A request's line, written at its end, however it comes.
struct Line {
    span: Span,
    start: Instant,
    status: Option<StatusCode>,
}

/// Logs the method, path, status, time, principal and tenant of each request: no query, no header, nothing of a body.
///
/// The layer of `tenancy-tower` fills in `tenant.id`, once the tenant is authorized: what a caller merely names
/// is not logged as a tenant.
pub async fn log(request: Request, next: Next) -> Response {
    let span = info_span!(
        "request",
        method = shown(request.method().as_str(), LONGEST_METHOD),
        path = shown(request.uri().path(), LONGEST_PATH),
        principal = Empty,
        tenant.id = Empty
    );
    let mut line = Line { span: span.clone(), start: Instant::now(), status: None };
    let response = next.run(request).instrument(span).await;
    line.status = Some(response.status());
    response
}

/// As a field it is escaped: no line of its own can be in it.
fn shown(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or("")
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        let _in_span = self.span.enter();
        if let Some(status) = self.status {
            info!(status = status.as_u16(), ?duration, "answered");
        } else {
            info!(?duration, "ended without an answer");
        }
    }
}
