//! Notes.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::call::{Answer, Call, Connection};
use crate::support::process::Gateway;
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, NOBODY};

on_each_store![
    creates_reads_updates_and_deletes_notes,
    foreign_note_looks_like_an_absent_one,
    lists_have_pages,
    rejects_invalid_queries,
    rejects_invalid_bodies_without_repeating_them,
    note_fails_conditions_on_entity_tags,
    one_connection_serves_several_tenants,
    unknown_routes_and_methods_are_rejected,
];

fn create(gateway: &Gateway, principal: &str, tenant: &str, text: &str) -> String {
    let body = json!({ "text": text }).to_string();
    let answer = Call::new("POST", "/v1/notes").by(principal).of(tenant).json(&body).send(gateway.address);
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.field("location"), Some(format!("/v1/notes/{id}").as_str()));
    id
}

fn list(gateway: &Gateway, principal: &str, tenant: &str, query: &str) -> Answer {
    Call::get(&format!("/v1/notes{query}")).by(principal).of(tenant).send(gateway.address)
}

fn creates_reads_updates_and_deletes_notes(store: &Store) {
    let gateway = store.start();
    let id = create(&gateway, "alice", ACME, "one");
    let path = format!("/v1/notes/{id}");
    let note = Call::get(&path).by("alice").of(ACME).send(gateway.address).json();
    assert_eq!(note["text"], "one");
    let created: jiff::Timestamp = note["created"].as_str().unwrap().parse().expect("RFC 3339");
    assert!(created.duration_until(jiff::Timestamp::now()).as_secs() < 60);

    let changed =
        Call::new("PUT", &path).by("alice").of(ACME).json(r#"{"text":"two"}"#).send(gateway.address);
    assert_eq!(changed.json(), json!({ "id": id, "text": "two", "created": note["created"] }));
    let deleted = Call::new("DELETE", &path).by("alice").of(ACME);
    assert_eq!(deleted.send(gateway.address).status, 204);
    assert_eq!(deleted.send(gateway.address).problem(), "gateway:no-such-note");
    assert_eq!(list(&gateway, "alice", ACME, "").json(), json!({ "notes": [], "next": null }));
}

fn foreign_note_looks_like_an_absent_one(store: &Store) {
    let gateway = store.start();
    let id = create(&gateway, "alice", ACME, "acme's secret");
    for method in ["GET", "PUT", "DELETE"] {
        let answers = [&id, NOBODY, "no-id", "%00"].map(|id| {
            let call = Call::new(method, &format!("/v1/notes/{id}")).by("bob").of(GLOBEX);
            call.json(r#"{"text":"mine"}"#).send(gateway.address)
        });
        assert_eq!(answers[0].problem(), "gateway:no-such-note");
        for answer in &answers {
            assert_eq!(answer, &answers[0], "{method}");
        }
    }
    let notes = list(&gateway, "bob", GLOBEX, "").body;
    assert_eq!(notes, r#"{"notes":[],"next":null}"#);
    let notes = list(&gateway, "bob", GLOBEX, &format!("?after={id}")).body;
    assert_eq!(notes, r#"{"notes":[],"next":null}"#);
    // The operator may act for both tenants and sees each note unchanged.
    assert_eq!(list(&gateway, "operator", ACME, "").json()["notes"][0]["text"], "acme's secret");
    assert_eq!(list(&gateway, "operator", GLOBEX, "").json()["notes"], json!([]));
}

fn lists_have_pages(store: &Store) {
    let gateway = store.start();
    let made: Vec<_> = (0..120).map(|n| create(&gateway, "alice", ACME, &n.to_string())).collect();
    create(&gateway, "bob", GLOBEX, "another's");
    let mut seen = Vec::new();
    let mut query = String::new();
    for length in [50, 50, 20] {
        let page = list(&gateway, "alice", ACME, &query).json();
        let notes = page["notes"].as_array().unwrap();
        assert_eq!(notes.len(), length);
        seen.extend(notes.iter().map(|note| note["id"].as_str().unwrap().to_owned()));
        query = format!("?after={}", page["next"].as_str().unwrap_or(""));
    }
    assert_eq!(query, "?after=", "nothing is next");
    assert_eq!(seen, made, "in the order in which they were made");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 120);
    let exactly = list(&gateway, "alice", ACME, "?limit=120").json();
    assert_eq!((exactly["notes"].as_array().unwrap().len(), &exactly["next"]), (120, &json!(null)));
}

fn rejects_invalid_queries(store: &Store) {
    let gateway = store.start();
    for query in
        ["?limit=0", "?limit=201", "?limit=-1", "?limit=x", "?after=x", "?limt=1", "?limit=1&limit=2"]
    {
        assert_eq!(list(&gateway, "alice", ACME, query).problem(), "gateway:malformed-query", "{query}");
    }
    assert_eq!(list(&gateway, "alice", ACME, "?limit=200").status, 200);
}

fn rejects_invalid_bodies_without_repeating_them(store: &Store) {
    let gateway = store.start();
    let post = || Call::new("POST", "/v1/notes").by("alice").of(ACME);
    let refused = |call: Call, status: u16, kind: &str| {
        let answer = call.send(gateway.address);
        assert_eq!((answer.status, answer.problem()), (status, format!("gateway:{kind}")));
        assert!(!answer.body.contains("marker"));
    };
    refused(post().json(r#"{"text":"marker"#), 400, "malformed-json");
    refused(post().json(r#"{"marker":1}"#), 422, "wrong-shape");
    refused(post().json(r#"{"text":1}"#), 422, "wrong-shape");
    refused(post().json(r#"{"text":"a","text":"marker"}"#), 422, "wrong-shape");
    refused(post().json(r#"["marker"]"#), 422, "wrong-shape");
    refused(post().json(r#"{"text":"a","tenant":"marker"}"#), 422, "wrong-shape");
    refused(post().json(r#"{"text":""}"#), 422, "text-length");
    refused(post().json(r#"{"text":"marker\u0000"}"#), 422, "text-length");
    refused(post().body(r#"{"text":"marker"}"#), 415, "content-type");
    refused(post().field("Content-Type", "text/plain").body(r#"{"text":"marker"}"#), 415, "content-type");
}

/// A note has no entity tag, so a conditional change must fail rather than overwrite another change.
fn note_fails_conditions_on_entity_tags(store: &Store) {
    let gateway = store.start();
    let path = format!("/v1/notes/{}", create(&gateway, "alice", ACME, "one"));
    let send = |method: &str, path: &str, field: (&str, &str)| {
        let call = Call::new(method, path).by("alice").of(ACME).field(field.0, field.1);
        call.json(r#"{"text":"two"}"#).send(gateway.address)
    };
    for method in ["PUT", "DELETE"] {
        for field in [("If-Match", "\"1\""), ("If-Match", "W/\"1\""), ("If-None-Match", "*")] {
            assert_eq!(send(method, &path, field).problem(), "gateway:no-entity-tag", "{method} {field:?}");
            let absent = send(method, &format!("/v1/notes/{NOBODY}"), field);
            assert_eq!(absent.problem(), "gateway:no-such-note", "{method} {field:?}");
        }
    }
    let note = Call::get(&path).by("alice").of(ACME).send(gateway.address).json();
    assert_eq!(note["text"], "one");
    for field in [("If-Match", "*"), ("If-None-Match", "\"1\"")] {
        assert_eq!(send("PUT", &path, field).status, 200, "{field:?}");
    }
    assert_eq!(send("DELETE", &path, ("If-Match", "*")).status, 204);
}

fn one_connection_serves_several_tenants(store: &Store) {
    let gateway = store.start();
    let mut connection = Connection::to(gateway.address);
    let whoami = |tenant| Call::get("/v1/whoami").by("operator").of(tenant);
    for _ in 0..50 {
        assert_eq!(connection.ask(&whoami(ACME)).json()["tenant"], ACME);
        assert_eq!(connection.ask(&whoami(NOBODY)).status, 404);
        assert_eq!(connection.ask(&Call::get("/v1/whoami").by("operator")).status, 400);
        assert_eq!(connection.ask(&whoami(GLOBEX)).json()["tenant"], GLOBEX);
        assert_eq!(connection.ask(&Call::get("/v1/whoami").of(GLOBEX)).status, 401);
        assert_eq!(connection.ask(&Call::get("/healthz")).status, 200);
    }
}

fn unknown_routes_and_methods_are_rejected(store: &Store) {
    let gateway = store.start();
    let send = |method, path| Call::new(method, path).by("alice").of(ACME).send(gateway.address);
    assert_eq!(send("GET", "/v2").problem(), "gateway:no-such-resource");
    assert_eq!(send("GET", "/v1/notes/").problem(), "gateway:no-such-resource");
    let answer = send("PATCH", "/v1/notes");
    assert_eq!((answer.status, answer.problem()), (405, "gateway:method-not-allowed".to_owned()));
    assert_eq!(answer.field("allow"), Some("GET,HEAD,POST"));
    assert_eq!(send("POST", "/v1/whoami").field("allow"), Some("GET,HEAD"));
}
