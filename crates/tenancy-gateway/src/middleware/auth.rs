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
use crate::security;

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
    let principal = match principal(request.headers(), &principals) {
        Ok(principal) => principal.clone(),
        Err(response) => return *response,
    };
    // Inner layers do not need the token, and cannot disclose it.
    request.headers_mut().remove(AUTHORIZATION);
    admit(&mut request, principal);
    next.run(request).await
}

/// Returns the principal of a request's token, or the response if there is none.
pub(crate) fn principal<'p>(
    headers: &HeaderMap,
    principals: &'p Principals,
) -> Result<&'p Principal, Box<Response>> {
    let Some(token) = bearer(headers) else {
        return Err(Box::new(unauthenticated("Bearer realm=\"gateway\"")));
    };
    principals.of_token(token).ok_or_else(|| Box::new(unknown_token()))
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
    security::credentials_rejected();
    unauthenticated("Bearer realm=\"gateway\", error=\"invalid_token\"")
}

/// Responds with a challenge. It has an error code only if there was a token (RFC 6750, section 3).
fn unauthenticated(challenge: &'static str) -> Response {
    let challenge = HeaderValue::from_static(challenge);
    ([(WWW_AUTHENTICATE, challenge)], Problem::UNAUTHENTICATED).into_response()
}
