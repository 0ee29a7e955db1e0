//! Authentication of callers by bearer token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::paths::is_open;
use crate::principals::{Principal, Principals};
use crate::problem::Problem;

/// Puts the [`Principal`] of the request's token into its extensions. Without a valid token responds with 401, whatever
/// tenant the request names, so that unknown callers do not learn which tenants exist.
pub async fn authenticate(
    State(principals): State<Arc<Principals>>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_open(request.uri().path()) {
        return next.run(request).await;
    }
    // The layer of the page found a session. No other layer before this one sets a principal.
    if request.extensions().get::<Principal>().is_some() {
        return next.run(request).await;
    }
    let principal = match bearer(request.headers()) {
        Some(token) => principals.of_token(token).cloned(),
        None => return unauthenticated("Bearer realm=\"gateway\""),
    };
    let Some(principal) = principal else { return unknown_token() };
    // Inner layers do not need the token, and cannot disclose it.
    request.headers_mut().remove(AUTHORIZATION);
    admit(&mut request, principal);
    next.run(request).await
}

/// Sets the caller for inner layers and for the log.
pub(crate) fn admit(request: &mut Request, principal: Principal) {
    // Debug output escapes control characters in the name.
    tracing::Span::current().record("principal", tracing::field::debug(principal.name()));
    request.extensions_mut().insert(principal);
}

/// Returns the token of the only `Authorization` field (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Responds to an unknown token.
pub(crate) fn unknown_token() -> Response {
    unauthenticated("Bearer realm=\"gateway\", error=\"invalid_token\"")
}

/// Responds with a challenge. It has an error code only if there was a token (RFC 6750, section 3).
fn unauthenticated(challenge: &'static str) -> Response {
    let challenge = HeaderValue::from_static(challenge);
    ([(WWW_AUTHENTICATE, challenge)], Problem::UNAUTHENTICATED).into_response()
}
