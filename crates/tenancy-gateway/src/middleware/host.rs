//! The host that a request names.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version};
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

/// Rejects requests whose host is missing, malformed or ambiguous (RFC 9112, section 3.2, and RFC 9113, section 8.3.1): a
/// proxy may have used another one.
///
/// Also rejects requests for a domain name while the public tokens of the demo are accepted. Otherwise a website could let
/// its name resolve to this machine, and its scripts could use the tokens in the browsers of its visitors.
pub async fn check(State(has_demo_tokens): State<bool>, request: Request, next: Next) -> Response {
    if let Err(problem) = check_syntax(request.uri(), request.headers(), request.version()) {
        return problem.into_response();
    }
    let authority = authority(request.uri(), request.headers());
    if has_demo_tokens && authority.is_some_and(|authority| is_site(name(authority))) {
        return Problem::MISDIRECTED.into_response();
    }
    next.run(request).await
}

fn check_syntax(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<(), Problem> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Problem::HOSTS);
    }
    let Some(field) = field else {
        return if version == Version::HTTP_11 { Err(Problem::HOST) } else { Ok(()) };
    };
    let field = field.to_str().ok().filter(|field| is_host(field)).ok_or(Problem::HOST)?;
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(field) => Err(Problem::HOSTS),
        _ => Ok(()),
    }
}

/// Returns whether a text is a host with an optional port, and without the name of a user.
fn is_host(field: &str) -> bool {
    let authority = field.parse::<Authority>();
    authority.is_ok_and(|authority| {
        let port = field.strip_prefix(authority.host()).unwrap_or("x");
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        !field.contains('@') && !authority.host().is_empty() && has_port
    })
}

/// Returns whether a host may be a registered domain name: these contain a dot.
fn is_site(name: &str) -> bool {
    name.contains('.') && name.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(uri: &str, hosts: &[&str], version: Version) -> Result<(), Problem> {
        let fields = hosts.iter().map(|host| (HOST, host.parse().unwrap()));
        check_syntax(&uri.parse().unwrap(), &fields.collect(), version)
    }

    #[test]
    fn requires_one_valid_host() {
        for host in ["localhost", "127.0.0.1:8080", "[::1]:8080", "gateway.example"] {
            assert_eq!(checked("/", &[host], Version::HTTP_11), Ok(()), "{host}");
        }
        for host in ["", "a b", "a/b", "user@a", "[::1", "a:b:c", "a:x", ":80", "http://a"] {
            assert_eq!(checked("/", &[host], Version::HTTP_11), Err(Problem::HOST), "{host}");
        }
        assert_eq!(checked("/", &[], Version::HTTP_11), Err(Problem::HOST));
        assert_eq!(checked("/", &[], Version::HTTP_10), Ok(()));
        assert_eq!(checked("http://a/", &[], Version::HTTP_2), Ok(()));
        assert_eq!(checked("/", &["a", "a"], Version::HTTP_11), Err(Problem::HOSTS));
    }

    #[test]
    fn rejects_an_authority_that_differs_from_host() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(checked("http://a:1/", &["A:1"], version), Ok(()));
            assert_eq!(checked("http://a:1/", &["a"], version), Err(Problem::HOSTS));
            assert_eq!(checked("http://a/", &["b"], version), Err(Problem::HOSTS));
        }
    }

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
