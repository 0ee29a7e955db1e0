//! The cookie of a session: its id, and nothing else.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// Without TLS, which is on this machine alone.
const PLAIN: &str = "gateway";
/// No other host and no plain connection can set it (RFC 6265bis, section 4.1.3.2).
const SECURE: &str = "__Host-gateway";

/// The id that the request's cookie has. Where there are two, one may be somebody else's: there is none then.
pub(super) fn id(headers: &HeaderMap, is_local: bool) -> Option<&str> {
    let name = name(is_local);
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let cookies =
        fields.flat_map(|field| field.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let mut ids = cookies.filter(|(found, _)| *found == name).map(|(_, id)| id);
    let id = ids.next()?;
    ids.next().is_none().then_some(id)
}

/// A field that sets it, for so many seconds; for none it is gone.
pub(super) fn set(id: &str, seconds: u64, is_local: bool) -> String {
    let secure = if is_local { "" } else { "; Secure" };
    let name = name(is_local);
    format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

const fn name(is_local: bool) -> &'static str {
    if is_local { PLAIN } else { SECURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn two_cookies_of_the_name_are_none() {
        let headers = |fields: &[&'static str]| {
            let fields = fields.iter().map(|field| (COOKIE, HeaderValue::from_static(field)));
            fields.collect::<HeaderMap>()
        };
        assert_eq!(id(&headers(&["a=b; gateway=1; c"]), true), Some("1"));
        assert_eq!(id(&headers(&["__Host-gateway=1"]), false), Some("1"));
        assert_eq!(id(&headers(&["gateway=1"]), false), None, "anybody on the way could have set it");
        assert_eq!(id(&headers(&["gateway=1; gateway=2"]), true), None);
        assert_eq!(id(&headers(&["gateway=1", "gateway=2"]), true), None);
        assert_eq!(id(&headers(&["xgateway=1"]), true), None);
        assert_eq!(id(&headers(&[]), true), None);
    }

    #[test]
    fn it_is_for_this_host_alone_and_no_script_reads_it() {
        let expected = "gateway=1; Path=/; Max-Age=9; HttpOnly; SameSite=Strict";
        assert_eq!(set("1", 9, true), expected);
        assert_eq!(set("1", 9, false), format!("__Host-{expected}; Secure"));
    }
}
