//! Health, metrics, structured logs and security events.

use std::fs;

use serde_json::{Value, json};
use tenancy_testkit::process::Signal;

use crate::support::call::{Answer, Call};
use crate::support::process::{Gateway, wait_until};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, PLATFORM};

on_each_store![readiness_shows_reasons_to_the_operator_only];

fn readiness_shows_reasons_to_the_operator_only(store: &Store) {
    let gateway = store.start();
    let ready = |call: Call| call.send(gateway.address);
    let of_all = ready(Call::get("/readyz"));
    assert_eq!((of_all.status, of_all.body.as_str()), (200, r#"{"status":"ready"}"#));
    for name in ["alice", "nobody"] {
        assert_eq!(ready(Call::get("/readyz").by(name)).body, of_all.body, "{name}");
    }
    let checks = json!({ "tenants": "ok", "notes": "ok" });
    assert_eq!(ready(Call::get("/readyz").by("operator")).json()["checks"], checks);
    assert_eq!(ready(Call::get("/livez")).json(), json!({ "status": "ok" }));
}

#[test]
fn is_not_ready_while_draining_but_serves() {
    let mut gateway = Gateway::with(&["--drain-delay", "3", "--rate", "0"]);
    assert_eq!(Call::get("/readyz").send(gateway.address).status, 200);
    gateway.signal(Signal::Terminate);
    let ready = || Call::get("/readyz").send(gateway.address);
    assert!(wait_until(|| ready().status == 503));
    let refused = ready();
    assert_eq!(refused.problem(), "gateway:not-ready");
    assert!(refused.json().get("checks").is_none(), "{refused:?}");
    let reasons = Call::get("/readyz").by("operator").send(gateway.address);
    assert_eq!(reasons.json()["checks"]["shutdown"], "in_progress");
    assert_eq!(Call::get("/v1/notes").by("alice").of(ACME).send(gateway.address).status, 200);
    assert_eq!(gateway.end().code(), Some(0));
}

fn metrics(gateway: &Gateway) -> Answer {
    Call::get("/metrics").by("operator").send(gateway.address)
}

#[test]
fn metrics_are_for_the_operator_only() {
    let gateway = Gateway::start();
    assert_eq!(Call::get("/metrics").send(gateway.address).status, 401);
    assert_eq!(Call::get("/metrics").by("nobody").send(gateway.address).status, 401);
    let refused = Call::get("/metrics").by("alice").of(ACME).send(gateway.address);
    assert_eq!((refused.status, refused.problem()), (403, "gateway:platform-only".to_owned()));
    let answer = metrics(&gateway);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.field("content-type")), (200, Some(kind)));
}

#[test]
fn metrics_count_authorized_requests_of_the_busiest_tenants() {
    let gateway = Gateway::with(&["--rate", "0", "--metrics-tenants", "1"]);
    let get =
        |name: &str, tenant: &str| Call::get("/v1/whoami").by(name).of(tenant).send(gateway.address).status;
    assert_eq!([get("alice", ACME), get("alice", ACME), get("bob", GLOBEX)], [200; 3]);
    // A tenant that is only claimed is not counted.
    assert_eq!(get("alice", GLOBEX), 403);
    let text = metrics(&gateway).body;
    for line in [
        format!("gateway_tenant_requests_total{{tenant=\"{ACME}\"}} 2"),
        "gateway_tenant_requests_total{tenant=\"other\"} 1".to_owned(),
        "gateway_requests_total{status=\"2xx\"} 3".to_owned(),
        "gateway_requests_total{status=\"4xx\"} 1".to_owned(),
        "gateway_requests_in_progress 1".to_owned(),
        "gateway_request_duration_seconds_count 4".to_owned(),
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line} in {text}");
    }
    assert!(!text.contains(GLOBEX) && text.ends_with("# EOF\n"), "{text}");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn log_can_be_json() {
    let gateway = Gateway::with(&["--log-format", "json", "--rate", "0"]);
    let path = "/v1/notes%22%0a";
    assert_eq!(Call::get(path).by("alice").of(ACME).send(gateway.address).status, 404);
    let log = lines(&gateway.stderr.with("answered"));
    let line = log.iter().find(|line| line["message"] == "answered").expect("a line");
    assert_eq!((&line["status"], &line["level"]), (&json!(404), &json!("INFO")));
    let span = &line["span"];
    assert_eq!((&span["path"], &span["tenant.id"]), (&json!(path), &json!(ACME)), "{line}");
}

#[test]
fn security_events_have_stable_names_and_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("security.log");
    let gateway = Gateway::with(&["--rate", "0", "--log", "error", "--security-log", file.to_str().unwrap()]);
    let get = |path: &str, name: &str, tenant: &str| {
        Call::get(path).by(name).of(tenant).send(gateway.address).status
    };
    assert_eq!(get("/v1/notes", "alice", ACME), 200);
    assert_eq!(get("/v1/notes", "alice", GLOBEX), 403);
    assert_eq!(get("/v1/notes", "s3cret", ACME), 401);
    assert_eq!(get("/v1/tenants/s3cret", "alice", ACME), 403);
    assert_eq!(get(&format!("/v1/tenants/{ACME}"), "operator", PLATFORM), 200);
    // A request without a token has no credentials that could be rejected.
    assert_eq!(Call::get("/v1/notes").of(ACME).send(gateway.address).status, 401);
    let text = fs::read_to_string(&file).unwrap();
    let events = lines(&text);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["tenant.forbidden", "credentials.rejected", "platform.forbidden", "platform.accessed"]
    );
    let forbidden = &events[0];
    assert_eq!((&forbidden["principal"], &forbidden["claimed.tenant.id"]), (&json!("alice"), &json!(GLOBEX)));
    assert_eq!((&events[3]["method"], &events[3]["path"]), (&json!("GET"), &json!("/v1/tenants/{id}")));
    assert!(!text.contains("s3cret") && !text.contains("demo-"), "{text}");
    assert_eq!(gateway.stderr.text(), "");
}
