//! Who calls: before anything else is looked at.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::OPEN;
use crate::principals::{Principal, Principals};
use crate::problem::Problem;

/// Puts the [`Principal`] of the request's token into its extensions. Without one the answer is a 401, whatever tenant
/// the request names: who is not known does not learn which there are.
pub async fn authenticate(
    State(principals): State<Arc<Principals>>,
    mut request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    // The page's gate knows it by a session. Nobody else stands before this.
    if request.extensions().get::<Principal>().is_some() {
        return next.run(request).await;
    }
    let principal = match bearer(request.headers()) {
        Some(token) => principals.of_token(token).cloned(),
        None => return unauthenticated("Bearer realm=\"gateway\""),
    };
    let Some(principal) = principal else { return unknown_token() };
    // Nothing behind this needs the token, so nothing can tell it.
    request.headers_mut().remove(AUTHORIZATION);
    admit(&mut request, principal);
    next.run(request).await
}

/// Says who calls, to all that comes behind and to the log.
pub(crate) fn admit(request: &mut Request, principal: Principal) {
    // As debug text, which escapes what a file's name may have in it.
    tracing::Span::current().record("principal", tracing::field::debug(principal.name()));
    request.extensions_mut().insert(principal);
}

/// The token of the one field that carries it (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// The answer to a token that is nobody's.
pub(crate) fn unknown_token() -> Response {
    unauthenticated("Bearer realm=\"gateway\", error=\"invalid_token\"")
}

/// RFC 6750, section 3: who sent no token is not told that it is invalid.
fn unauthenticated(challenge: &'static str) -> Response {
    let challenge = HeaderValue::from_static(challenge);
    ([(WWW_AUTHENTICATE, challenge)], Problem::UNAUTHENTICATED).into_response()
}
