//! Where a request says that it comes from.

use axum::http::header::{self, HeaderName, ORIGIN};
use axum::http::request::Parts;

use crate::middleware::host;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const FORWARDED: [HeaderName; 4] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Whether a form was sent by this page. A browser says so in one way at least, and no script can make it lie. What
/// says nothing is refused.
///
/// The page sends no referrer, so that its own forms may have `Origin: null`: it is then for `Sec-Fetch-Site` to tell.
pub(super) fn is_own(parts: &Parts) -> bool {
    let mut is_said = false;
    for site in parts.headers.get_all(SEC_FETCH_SITE) {
        if site != "same-origin" {
            return false;
        }
        is_said = true;
    }
    for origin in parts.headers.get_all(ORIGIN) {
        if origin == "null" {
            continue;
        }
        if !origin.to_str().is_ok_and(|origin| is_of(origin, host::authority(&parts.uri, &parts.headers))) {
            return false;
        }
        is_said = true;
    }
    is_said
}

fn is_of(origin: &str, authority: Option<&str>) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.zip(authority).is_some_and(|(host, authority)| host.eq_ignore_ascii_case(authority))
}

/// Whether the browser runs on this machine, as far as it says: there it takes a connection for safe without TLS. Behind
/// a proxy it does not, though the proxy may name this machine as the host.
pub(super) fn is_loopback(parts: &Parts) -> bool {
    if FORWARDED.iter().any(|name| parts.headers.contains_key(name)) {
        return false;
    }
    let Some(host) = host::authority(&parts.uri, &parts.headers).map(host::name) else { return false };
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/sign-in");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_form_is_own_where_something_says_so_and_nothing_denies_it() {
        let host = ("host", "gateway.example:8080");
        for fields in [
            &[("origin", "http://gateway.example:8080")][..],
            &[("origin", "https://GATEWAY.example:8080")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        ] {
            assert!(is_own(&parts(&[&[host], fields].concat())), "{fields:?}");
        }
        for fields in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "gateway.example:8080")],
            &[("origin", "http://gateway.example")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://gateway.example:8080.evil.example")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://gateway.example:8080")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_own(&parts(&[&[host], fields].concat())), "{fields:?}");
        }
        assert!(!is_own(&parts(&[("origin", "http://gateway.example:8080")])), "no host");
    }

    #[test]
    fn what_is_not_known_to_be_this_machine_is_not() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(&parts(&[("host", host)])), "{host}");
        }
        for host in
            ["gateway.example", "localhost.example", "10.0.0.1:80", "[::2]:1", "127.0.0.1.example", ""]
        {
            assert!(!is_loopback(&parts(&[("host", host)])), "{host}");
        }
        assert!(!is_loopback(&parts(&[])));
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-host", "X-Forwarded-Proto"] {
            assert!(!is_loopback(&parts(&[("host", "127.0.0.1:8080"), (name, "any")])), "{name}");
        }
    }
}
