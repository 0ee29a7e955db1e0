//! The host that a request names.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Returns the host of a request with its port.
pub(crate) fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST)?.to_str().ok(),
    }
}

/// Returns a host without its port.
pub(crate) fn name(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Rejects requests for a domain name while the public tokens of the demo are accepted. Otherwise a website could let its
/// name resolve to this machine, and its scripts could use the tokens in the browsers of its visitors.
///
/// Also rejects requests with two `Host` fields (RFC 9112, section 3.2): a proxy may have used the other one.
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

/// Returns whether a host may be a registered domain name: these contain a dot.
fn is_site(name: &str) -> bool {
    name.contains('.') && name.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_dot_are_sites_and_addresses_are_not() {
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
