//! Whom a request takes this service for.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// With the port, if it is not the usual one.
pub(crate) fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

/// Without the port.
pub(crate) fn name(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Refuses what takes this service for a site, where the tokens are the demo's, which everybody can read: a site that
/// lets its name point to this machine sends them from its visitors' browsers, which take the answer for its own.
///
/// And what names two (RFC 9112, section 3.2): a proxy may have looked at the other.
pub async fn no_site(State(has_demo_tokens): State<bool>, request: Request, next: Next) -> Response {
    if request.headers().get_all(HOST).iter().nth(1).is_some() {
        return Problem::HOSTS.into_response();
    }
    let authority = authority(request.uri(), request.headers());
    if has_demo_tokens && authority.is_some_and(|authority| is_site(name(authority))) {
        return Problem::MISDIRECTED.into_response();
    }
    next.run(request).await
}

/// Whether it may be a name that anybody registered: those have a dot in them.
fn is_site(name: &str) -> bool {
    name.contains('.') && name.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_a_dot_in_its_name_and_no_address_is_one() {
        for host in
            ["127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "[::1]", "localhost:8080", "gateway", "::1", ""]
        {
            assert!(!is_site(name(host)), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "evil.",
        ] {
            assert!(is_site(name(host)), "{host}");
        }
    }
}
