//! Requests about agents.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::process::Gateway;
use super::{OPERATOR, Who};

pub(crate) fn call((principal, tenant): Who, method: &str, path: &str) -> Call {
    Call::new(method, path).by(principal).of(tenant)
}

pub(crate) fn ask(gateway: &Gateway, who: Who, method: &str, path: &str) -> Answer {
    call(who, method, path).send(gateway.address)
}

pub(crate) fn post(gateway: &Gateway, who: Who, path: &str, body: &Value) -> Answer {
    call(who, "POST", path).json(&body.to_string()).send(gateway.address)
}

/// Registers a new agent and returns its id.
pub(crate) fn register(gateway: &Gateway, who: Who, body: &Value) -> String {
    let answer = post(gateway, who, "/v1/agents", body);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// Registers a new agent, submits and approves it, and returns its id.
pub(crate) fn active(gateway: &Gateway, who: Who, body: &Value) -> String {
    let id = register(gateway, who, body);
    assert_eq!(ask(gateway, who, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
    let approve = format!("/v1/tenants/{}/agents/{id}/approve", who.1);
    let answer = ask(gateway, OPERATOR, "POST", &approve);
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("active")), "{answer:?}");
    id
}

pub(crate) fn patch(gateway: &Gateway, who: Who, id: &str, etag: &str, patch: &Value) -> Answer {
    let call = call(who, "PATCH", &format!("/v1/agents/{id}")).field("If-Match", etag);
    call.json(&patch.to_string()).send(gateway.address)
}

pub(crate) fn names(page: &Value) -> Vec<&str> {
    page["agents"].as_array().expect("agents").iter().map(|agent| agent["name"].as_str().unwrap()).collect()
}
