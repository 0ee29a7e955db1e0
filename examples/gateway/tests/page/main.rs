//! The page `/`, as a browser asks for it, and in a browser.

#[path = "../common/mod.rs"]
mod common;

mod chromium;
mod content;
mod forms;
mod in_browser;
mod platform;
mod requests;
mod sessions;

use serde_json::{Value, json};

use common::call::{Answer, Call};
use common::process::Gateway;
use common::{ACME, GLOBEX, PLATFORM};

/// One of the demo's principals, in a tenant.
pub(crate) type Who = (&'static str, &'static str);

pub(crate) const ALICE: Who = ("alice", ACME);
pub(crate) const BOB: Who = ("bob", GLOBEX);
pub(crate) const OPERATOR: Who = ("operator", PLATFORM);

/// A form as a browser sends it from the page itself.
pub(crate) fn form(path: &str, fields: &str) -> Call {
    let call =
        Call::new("POST", path).field("Origin", "http://gateway").field("Sec-Fetch-Site", "same-origin");
    call.field("Content-Type", "application/x-www-form-urlencoded").body(fields)
}

pub(crate) fn try_to_sign_in(gateway: &Gateway, token: &str, tenant: &str) -> Answer {
    form("/sign-in", &format!("token={token}&tenant={tenant}")).send(gateway.address)
}

/// The cookie that an answer sets, as a request has it.
pub(crate) fn cookie_of(answer: &Answer) -> Option<String> {
    answer.field("set-cookie").and_then(|field| field.split(';').next()).map(str::to_owned)
}

/// The cookie of who has signed in.
pub(crate) fn sign_in(gateway: &Gateway, (principal, tenant): Who) -> String {
    let answer = try_to_sign_in(gateway, &format!("demo-{principal}"), tenant);
    assert_eq!((answer.status, answer.field("location")), (303, Some("/")), "{answer:?}");
    cookie_of(&answer).expect("a cookie")
}

pub(crate) fn page(gateway: &Gateway, cookie: &str, query: &str) -> Answer {
    Call::get(&format!("/{query}")).field("Cookie", cookie).send(gateway.address)
}

/// Whether it is the form to sign in.
pub(crate) fn is_form(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains("action=\"/sign-in\"") && !answer.body.contains("<table")
}

pub(crate) fn api((principal, tenant): Who, method: &str, path: &str) -> Call {
    Call::new(method, path).by(principal).of(tenant)
}

/// The id of an agent that is new.
pub(crate) fn register(gateway: &Gateway, who: Who, body: &Value) -> String {
    let answer = api(who, "POST", "/v1/agents").json(&body.to_string()).send(gateway.address);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// The same, of one that the platform said yes to.
pub(crate) fn active(gateway: &Gateway, who: Who, body: &Value) -> String {
    let id = register(gateway, who, body);
    let submit = api(who, "POST", &format!("/v1/agents/{id}/submit")).send(gateway.address);
    assert_eq!(submit.status, 200, "{submit:?}");
    let approve = format!("/v1/tenants/{}/agents/{id}/approve", who.1);
    let answer = api(OPERATOR, "POST", &approve).send(gateway.address);
    assert_eq!(answer.json()["status"], json!("active"), "{answer:?}");
    id
}
