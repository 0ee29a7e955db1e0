//! Malformed and ambiguous requests.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::support::agents::{call, register};
use crate::support::call::{Answer, Call};
use crate::support::h2::{connect, request};
use crate::support::process::Gateway;
use crate::support::{ACME, ALICE, OPERATOR, PATIENCE};

/// Sends bytes, and returns the status of the response.
fn status(gateway: &Gateway, head: &str) -> u16 {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text:?}"))
}

#[test]
fn http1_requires_a_valid_host() {
    let gateway = Gateway::start();
    let get = |version: &str, host: &str| {
        status(&gateway, &format!("GET /healthz HTTP/{version}\r\n{host}Connection: close\r\n\r\n"))
    };
    assert_eq!(get("1.1", "Host: localhost\r\n"), 200);
    assert_eq!(get("1.1", ""), 400);
    assert_eq!(get("1.0", ""), 200);
    for host in ["", "a b", "user@localhost", "localhost/", "[::1", "localhost:x"] {
        assert_eq!(get("1.1", &format!("Host: {host}\r\n")), 400, "{host}");
    }
    let absolute = |host: &str| {
        let head =
            format!("GET http://localhost/healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        status(&gateway, &head)
    };
    assert_eq!(absolute("localhost"), 200);
    assert_eq!(absolute("gateway"), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_authority_and_host_must_agree() {
    let gateway = Gateway::start();
    for (host, expected) in [("gateway", 200), ("GATEWAY", 200), ("localhost", 400), ("gateway:80", 400)] {
        let mut request = request(("GET", "/healthz"), ACME, String::new());
        request.headers_mut().insert("host", host.parse().unwrap());
        let response = connect(gateway.address).await.send_request(request).await.unwrap();
        assert_eq!(response.status(), expected, "{host}");
    }
}

#[test]
fn rejects_compressed_bodies() {
    let gateway = Gateway::start();
    let post = |encoding: &str| {
        let call = Call::new("POST", "/v1/notes").by("alice").of(ACME).field("Content-Encoding", encoding);
        call.json(r#"{"text":"a"}"#).send(gateway.address)
    };
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let refused = post(encoding);
        assert_eq!((refused.status, refused.problem()), (415, "gateway:content-encoding".to_owned()));
        assert_eq!(refused.field("accept-encoding"), Some("identity"), "{encoding}");
    }
    assert_eq!(post("identity").status, 201);
}

fn members(answer: &Answer) -> (u16, String, serde_json::Value, serde_json::Value) {
    let problem = answer.json();
    (answer.status, answer.problem(), problem["member"].clone(), problem["rule"].clone())
}

#[test]
fn names_the_invalid_member_and_not_what_was_sent() {
    let gateway = Gateway::start();
    let post = |path: &str, body: &str| call(ALICE, "POST", path).json(body).send(gateway.address);
    let shape = |member: Option<&str>, rule: &str| {
        (422, "gateway:wrong-shape".to_owned(), json!(member), json!(rule))
    };
    for (path, body, expected) in [
        ("/v1/notes", r"{}", shape(Some("text"), "missing member")),
        ("/v1/notes", r#"{"text":1}"#, shape(Some("text"), "wrong type or value")),
        ("/v1/notes", r#"{"text":"a","s3cret":1}"#, shape(None, "unknown member")),
        ("/v1/notes", r#"{"text":"a","text":"b"}"#, shape(None, "duplicate member")),
        ("/v1/notes", r#"["s3cret"]"#, shape(None, "not an object")),
        ("/v1/agents", r#"{"name":"a","tier":"s3cret"}"#, shape(Some("tier"), "wrong type or value")),
        (
            "/v1/agents",
            r#"{"name":"a","card":{"b":{"s3cret":1,"s3cret":2}}}"#,
            shape(None, "duplicate member"),
        ),
        (
            "/v1/agents/from-card",
            r#"{"name":"a","card":{"name":1,"s3cret":2}}"#,
            shape(Some("card"), "wrong type or value"),
        ),
    ] {
        let refused = post(path, body);
        assert_eq!(members(&refused), expected, "{body}: {refused:?}");
        assert!(!refused.body.contains("s3cret"), "{refused:?}");
    }
}

#[test]
fn distinguishes_deep_from_malformed_json() {
    let gateway = Gateway::start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let deep = format!(r#"{{"card":{}{}}}"#, r#"{"a":"#.repeat(200), "1".to_owned() + &"}".repeat(200));
    let patch = call(ALICE, "PATCH", &format!("/v1/agents/{id}")).field("If-Match", "*");
    for call in [call(ALICE, "POST", "/v1/agents"), call(OPERATOR, "POST", "/v1/tenants"), patch] {
        let refused = call.clone().json(&deep).send(gateway.address);
        assert_eq!((refused.status, refused.problem()), (400, "gateway:json-too-deep".to_owned()));
        let refused = call.json("{").send(gateway.address);
        assert_eq!((refused.status, refused.problem()), (400, "gateway:malformed-json".to_owned()));
    }
}

#[test]
fn heartbeat_checks_preconditions() {
    let gateway = Gateway::start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let beat = |name: &str, tags: &str| {
        let path = format!("/v1/agents/{id}/heartbeat");
        call(ALICE, "POST", &path).field(name, tags).send(gateway.address).status
    };
    let seen = || {
        call(ALICE, "GET", &format!("/v1/agents/{id}")).send(gateway.address).json()["last_seen_at"].clone()
    };
    for (name, tags) in [("If-Match", "\"2\""), ("If-Match", "W/\"1\"")] {
        assert_eq!(beat(name, tags), 412, "{name}: {tags}");
    }
    assert_eq!(beat("If-Match", "1"), 400);
    assert_eq!(seen(), json!(null), "a rejected heartbeat is not recorded");
    for tags in ["\"1\"", "*", "\"2\", \"1\""] {
        assert_eq!(beat("If-Match", tags), 204, "{tags}");
    }
    assert_ne!(seen(), json!(null));
}
