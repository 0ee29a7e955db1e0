//! The access log: one line for each request.

use std::time::Instant;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span, info, info_span};

/// Longer paths are cut off, so that callers cannot fill the log. All paths of this service are shorter.
const LONGEST_PATH: usize = 200;
/// Longer methods are cut off: clients can send any.
const LONGEST_METHOD: usize = 20;

/// The line of a request. It is written when it is dropped, also if the request is cancelled.
struct Line {
    span: Span,
    start: Instant,
    status: Option<StatusCode>,
}

/// Logs the method, path, status, duration, principal and tenant of each request, but no query, header or body.
///
/// `tenancy-tower` sets `tenant.id` once the tenant is authorized. A tenant that is only claimed is not logged.
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

/// Cuts off a text. The subscriber escapes the text, so that it cannot contain a line break.
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
