//! The page `/`, over HTTP and in a browser.

mod chromium;
mod content;
mod forms;
mod in_browser;
mod platform;
mod requests;
mod sessions;

use crate::support::Who;
use crate::support::call::{Answer, Call};
use crate::support::process::Gateway;

/// Returns a form as a browser sends it from the page itself.
pub(crate) fn form(path: &str, fields: &str) -> Call {
    let call =
        Call::new("POST", path).field("Origin", "http://gateway").field("Sec-Fetch-Site", "same-origin");
    call.field("Content-Type", "application/x-www-form-urlencoded").body(fields)
}

pub(crate) fn try_to_sign_in(gateway: &Gateway, token: &str, tenant: &str) -> Answer {
    form("/sign-in", &format!("token={token}&tenant={tenant}")).send(gateway.address)
}

/// Returns the cookie that a response sets, as a request sends it.
pub(crate) fn cookie_of(answer: &Answer) -> Option<String> {
    answer.field("set-cookie").and_then(|field| field.split(';').next()).map(str::to_owned)
}

/// Signs in and returns the session cookie.
pub(crate) fn sign_in(gateway: &Gateway, (principal, tenant): Who) -> String {
    let answer = try_to_sign_in(gateway, &format!("demo-{principal}"), tenant);
    assert_eq!((answer.status, answer.field("location")), (303, Some("/")), "{answer:?}");
    cookie_of(&answer).expect("a cookie")
}

pub(crate) fn page(gateway: &Gateway, cookie: &str, query: &str) -> Answer {
    Call::get(&format!("/{query}")).field("Cookie", cookie).send(gateway.address)
}

/// Returns whether the response is the sign-in form.
pub(crate) fn is_form(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains("action=\"/sign-in\"") && !answer.body.contains("<table")
}
