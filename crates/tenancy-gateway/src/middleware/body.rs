//! Limits of requests' bodies.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// The path below which bodies are agents.
const AGENTS: &str = "/v1/agents";

/// The maximum lengths of bodies, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The maximum for most requests.
    pub any: usize,
    /// The maximum for requests with an agent.
    pub agent: usize,
}

/// The default limits. A note of 4,096 characters, or an agent with a card of 64 KiB, fits, however its JSON is escaped.
impl Default for BodyLimits {
    fn default() -> Self {
        Self { any: 64 * 1024, agent: 400 * 1024 }
    }
}

/// Sets the maximum length of the body, which handlers enforce when they read it.
pub async fn limit(State(limits): State<BodyLimits>, mut request: Request, next: Next) -> Response {
    let rest = request.uri().path().strip_prefix(AGENTS);
    let is_agent = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    DefaultBodyLimit::max(if is_agent { limits.agent } else { limits.any }).apply(&mut request);
    next.run(request).await
}

/// Rejects compressed bodies, and names the accepted encoding (RFC 9110, section 15.5.16).
pub async fn reject_compressed(request: Request, next: Next) -> Response {
    let mut encodings = request.headers().get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return next.run(request).await;
    }
    let accepted = HeaderValue::from_static("identity");
    ([(ACCEPT_ENCODING, accepted)], Problem::CONTENT_ENCODING).into_response()
}
