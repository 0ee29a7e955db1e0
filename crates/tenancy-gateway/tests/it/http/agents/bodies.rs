//! Form and size of request bodies.

use serde_json::{Value, json};

use crate::support::ALICE;
use crate::support::agents::{ask, call, patch, post, register};
use crate::support::store::{Store, on_each_store};

on_each_store![
    names_an_invalid_member_without_repeating_it,
    accepts_cards_of_64_kib_in_any_encoding,
    rejects_agents_over_400_kib_and_notes_over_64_kib,
    rejects_patches_of_read_only_members,
    patch_requires_a_content_type,
];

fn names_an_invalid_member_without_repeating_it(store: &Store) {
    let gateway = store.start();
    let many: Vec<_> = (0..17).map(|n| format!("tag{n}")).collect();
    let cases = [
        ("name", json!("Marker"), "is not 1 to 63 of a-z, 0-9 and -, with no - first"),
        ("name", json!(""), "is not 1 to 63 of a-z, 0-9 and -, with no - first"),
        ("display_name", json!("marker".repeat(30)), "has more than 128 bytes"),
        ("description", json!("marker\u{7}"), "has a control character"),
        ("owner", json!("marker".repeat(11)), "has more than 64 bytes"),
        ("endpoint", json!("javascript:marker"), "is no URL"),
        (
            "capabilities",
            json!(["Marker"]),
            "has what is not 1 to 32 of a-z, 0-9 and -._:, with a letter or digit first",
        ),
        ("capabilities", json!(many), "has more than 16 entries"),
        ("card", json!({ "marker": "\0" }), "has a control character"),
        ("card", json!({ "marker": "x".repeat(64 * 1024) }), "has more than 65536 bytes"),
    ];
    for (member, value, rule) in cases {
        let mut draft = json!({ "name": "ok" });
        draft[member] = value;
        let answer = post(&gateway, ALICE, "/v1/agents", &draft);
        assert_eq!((answer.status, answer.problem()), (422, "gateway:agent-form".to_owned()));
        assert_eq!((&answer.json()["member"], &answer.json()["rule"]), (&json!(member), &json!(rule)));
        assert!(!answer.body.to_lowercase().contains("marker"));
    }
    for draft in [
        json!({}),
        json!({ "name": 1 }),
        json!({ "name": "ok", "tier": "marker" }),
        json!({ "name": "ok", "id": "marker" }),
    ] {
        let answer = post(&gateway, ALICE, "/v1/agents", &draft);
        assert_eq!(answer.problem(), "gateway:wrong-shape", "{draft}");
        assert!(!answer.body.contains("marker"));
    }
    assert_eq!(ask(&gateway, ALICE, "GET", "/v1/agents/count").json(), json!({ "count": 0 }));
}

/// Writes each character as an escape of six bytes.
fn escaped(length: usize) -> String {
    format!(r#"{{"name":"large","card":{{"t":"{}"}}}}"#, "\\u0041".repeat(length))
}

fn accepts_cards_of_64_kib_in_any_encoding(store: &Store) {
    let gateway = store.start();
    let send = |body: &str| call(ALICE, "POST", "/v1/agents").json(body).send(gateway.address);
    // {"t":"…"}
    let most = 64 * 1024 - 8;
    let answer = send(&escaped(most));
    assert_eq!((answer.status, answer.json()["card"]["t"].as_str().map(str::len)), (201, Some(most)));
    assert_eq!(send(&escaped(most + 1)).problem(), "gateway:agent-form");
    // The same card without escapes.
    assert_eq!(send(&json!({ "name": "large", "card": { "t": "A".repeat(most) } }).to_string()).status, 200);
}

fn rejects_agents_over_400_kib_and_notes_over_64_kib(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let body = |length: usize| format!("{}{}", " ".repeat(length - 14), r#"{"owner":"me"}"#);
    let change = |length| {
        let call = call(ALICE, "PATCH", &format!("/v1/agents/{id}")).field("If-Match", "*");
        call.json(&body(length)).send(gateway.address)
    };
    assert_eq!(change(400 * 1024).status, 200);
    let answer = change(400 * 1024 + 1);
    assert_eq!((answer.status, answer.problem()), (413, "gateway:too-large".to_owned()));
    for (path, body) in [("/v1/agents", r#"["b"]"#), ("/v1/agents/from-card", r#"["b",{}]"#)] {
        let answer = call(ALICE, "POST", path).json(body).send(gateway.address);
        assert_eq!(answer.problem(), "gateway:wrong-shape", "{path}");
    }
    for path in ["/v1/agents", "/v1/agents/from-card"] {
        let answer = call(ALICE, "POST", path).json(&body(400 * 1024 + 1)).send(gateway.address);
        assert_eq!(answer.problem(), "gateway:too-large", "{path}");
    }
    let answer = call(ALICE, "POST", "/v1/notes").json(&body(64 * 1024 + 1)).send(gateway.address);
    assert_eq!(answer.problem(), "gateway:too-large");
}

fn rejects_patches_of_read_only_members(store: &Store) {
    let gateway = store.start();
    let id = register(
        &gateway,
        ALICE,
        &json!({ "name": "a", "owner": "me", "card": { "a": { "b": 1, "c": 2 } } }),
    );
    let members =
        ["id", "tenant", "name", "status", "revision", "created_at", "updated_at", "last_seen_at", "other"];
    for member in members {
        for value in [json!("a"), json!("active"), json!(null), json!(2)] {
            let answer = patch(&gateway, ALICE, &id, "\"1\"", &json!({ "owner": "you", member: value }));
            assert_eq!(
                (answer.status, answer.problem()),
                (422, "gateway:wrong-shape".to_owned()),
                "{member}"
            );
        }
    }
    for wrong in [
        json!({ "tier": "gold" }),
        json!({ "owner": 1 }),
        json!({ "card": [] }),
        json!([]),
        json!("a"),
        Value::Null,
    ] {
        assert_eq!(patch(&gateway, ALICE, &id, "\"1\"", &wrong).problem(), "gateway:wrong-shape", "{wrong}");
    }
    assert_eq!(
        patch(&gateway, ALICE, &id, "\"1\"", &json!({ "endpoint": "x" })).json()["member"],
        "endpoint"
    );
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}")).json()["revision"], 1);

    let changes = json!({ "owner": null, "tier": "basic", "capabilities": ["b", "a"], "card": { "a": { "b": null, "d": 3 } } });
    let agent = patch(&gateway, ALICE, &id, "\"1\"", &changes).json();
    assert_eq!(
        (&agent["owner"], &agent["tier"], &agent["revision"]),
        (&json!(""), &json!("basic"), &json!(2))
    );
    assert_eq!(
        (&agent["capabilities"], &agent["card"]),
        (&json!(["a", "b"]), &json!({ "a": { "c": 2, "d": 3 } }))
    );
    assert_eq!(patch(&gateway, ALICE, &id, "\"2\"", &json!({ "card": null })).json()["card"], Value::Null);
}

fn patch_requires_a_content_type(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let send = |media_type: &str, body: &str| {
        let call = call(ALICE, "PATCH", &format!("/v1/agents/{id}")).field("If-Match", "*");
        call.field("Content-Type", media_type).body(body).send(gateway.address)
    };
    for known in ["application/merge-patch+json", "application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(send(known, r#"{"owner":"me"}"#).status, 200, "{known}");
    }
    for other in ["application/json-patch+json", "text/plain", "application/jsonx", ""] {
        let answer = send(other, r#"{"owner":"me"}"#);
        assert_eq!((answer.status, answer.problem()), (415, "gateway:content-type".to_owned()), "{other}");
        let accepted = Some("application/merge-patch+json, application/json");
        assert_eq!(answer.field("accept-patch"), accepted, "{other}");
    }
    assert_eq!(send("application/json", r#"{"owner":"#).problem(), "gateway:malformed-json");
    for body in [r#"{"owner":"me","owner":"you"}"#, "[]", "null", "7"] {
        let answer = send("application/json", body);
        assert_eq!((answer.status, answer.problem()), (422, "gateway:wrong-shape".to_owned()), "{body}");
    }
}
