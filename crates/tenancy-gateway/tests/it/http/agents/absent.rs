//! Responses for absent and for foreign agents are equal byte for byte.

use serde_json::json;

use crate::support::NOBODY;
use crate::support::agents::{active, ask, call, register};
use crate::support::call::Answer;
use crate::support::process::Gateway;
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB, OPERATOR, Who};

on_each_store![
    foreign_agent_looks_like_an_absent_one,
    private_platform_agents_look_absent,
    foreign_name_looks_like_an_absent_one,
];

/// All requests about one agent: method, path after the id, and whether a body and a condition are sent.
const ALL: [(&str, &str); 11] = [
    ("GET", ""),
    ("HEAD", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "/card"),
    ("POST", "/submit"),
    ("POST", "/suspend"),
    ("POST", "/resume"),
    ("POST", "/deprecate"),
    ("POST", "/heartbeat"),
    ("OPTIONS", ""),
];

/// Sends requests with right, wrong and missing conditions.
fn answers(gateway: &Gateway, who: Who, id: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path) in ALL {
        for condition in [None, Some("\"1\""), Some("\"9\""), Some("*"), Some("W/\"1\""), Some("1")] {
            let mut call = call(who, method, &format!("/v1/agents/{id}{path}"));
            if let Some(condition) = condition {
                call = call.field("If-Match", condition).field("If-None-Match", condition);
            }
            if method == "PATCH" {
                call = call.json(r#"{"description":"mine"}"#);
            }
            let mut connection = crate::support::call::Connection::to(gateway.address);
            connection.write(&call.bytes());
            // The response to HEAD has the length of the body that is not sent.
            let answer = if method == "HEAD" { connection.answer_head() } else { connection.answer() };
            answers.push(answer);
        }
    }
    answers
}

fn foreign_agent_looks_like_an_absent_one(store: &Store) {
    let gateway = store.start();
    let secret = json!({ "name": "secret", "visibility": "shared", "description": "acme's" });
    let draft = register(&gateway, ALICE, &secret);
    let in_use = active(&gateway, ALICE, &json!({ "name": "in-use", "visibility": "shared" }));
    let before = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{in_use}")).json();

    let absent = answers(&gateway, BOB, NOBODY);
    assert!(absent.iter().filter(|answer| answer.status == 404).count() > 40, "{absent:#?}");
    for id in [&draft, &in_use] {
        assert!(answers(&gateway, BOB, id) == absent, "{:#?}", answers(&gateway, BOB, id));
    }
    for id in ["no-id", "%00"] {
        assert_eq!(ask(&gateway, BOB, "GET", &format!("/v1/agents/{id}")), absent[0], "{id}");
    }
    // Nothing was changed.
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{in_use}")).json(), before);
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{draft}")).json()["status"], "draft");
}

fn private_platform_agents_look_absent(store: &Store) {
    let gateway = store.start();
    let private = active(&gateway, OPERATOR, &json!({ "name": "own" }));
    let draft = register(&gateway, OPERATOR, &json!({ "name": "soon", "visibility": "shared" }));
    let absent = answers(&gateway, BOB, NOBODY);
    for id in [&private, &draft] {
        assert!(answers(&gateway, BOB, id) == absent, "{:#?}", answers(&gateway, BOB, id));
    }
}

fn foreign_name_looks_like_an_absent_one(store: &Store) {
    let gateway = store.start();
    active(&gateway, ALICE, &json!({ "name": "secret", "visibility": "shared", "capabilities": ["chat"] }));
    let by_name = |name: &str| ask(&gateway, BOB, "GET", &format!("/v1/agents/by-name/{name}"));
    let absent = by_name("nobody");
    assert_eq!(absent.problem(), "gateway:no-such-agent");
    for name in ["secret", "Secret", "%00", "a%20b", &"x".repeat(64)] {
        assert_eq!(by_name(name), absent, "{name}");
    }
    // Bob can use the same name, and learns nothing.
    register(&gateway, BOB, &json!({ "name": "secret" }));
}
