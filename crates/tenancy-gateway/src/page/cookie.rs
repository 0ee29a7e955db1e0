//! The cookie of a session, which contains its id only.

use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::paths::HOME;
use crate::problem::Problem;

/// The name without TLS, which is allowed on this machine only.
const PLAIN: &str = "gateway";
/// The name with TLS. Neither another host nor a connection without TLS can set it (RFC 6265bis, section 4.1.3.2).
const SECURE: &str = "__Host-gateway";

/// Returns the id in the request's cookie, or `None` if there are two: another site may have set one of them.
pub(super) fn id(headers: &HeaderMap, is_local: bool) -> Option<&str> {
    let name = name(is_local);
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let cookies =
        fields.flat_map(|field| field.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let mut ids = cookies.filter(|(found, _)| *found == name).map(|(_, id)| id);
    let id = ids.next()?;
    ids.next().is_none().then_some(id)
}

/// Returns the field that sets the cookie for a number of seconds, or removes it if the number is 0.
pub(super) fn set(id: &str, seconds: u64, is_local: bool) -> String {
    let secure = if is_local { "" } else { "; Secure" };
    let name = name(is_local);
    format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Redirects to the page, with the value of `Set-Cookie`.
pub(super) fn redirect_home(cookie: &str) -> Result<Response, Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|_| Problem::INTERNAL)?;
    let fields = [(LOCATION, HeaderValue::from_static(HOME)), (SET_COOKIE, cookie)];
    Ok((StatusCode::SEE_OTHER, fields).into_response())
}

const fn name(is_local: bool) -> &'static str {
    if is_local { PLAIN } else { SECURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_two_cookies_of_the_name() {
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
    fn is_for_this_host_and_hidden_from_scripts() {
        let expected = "gateway=1; Path=/; Max-Age=9; HttpOnly; SameSite=Strict";
        assert_eq!(set("1", 9, true), expected);
        assert_eq!(set("1", 9, false), format!("__Host-{expected}; Secure"));
    }
}
