//! Changes are made of the revision that they name.

use std::thread;

use serde_json::json;

use super::{ALICE, OPERATOR, active, ask, call, patch, register};
use crate::common::ACME;
use crate::common::store::{Store, on_each_store};

on_each_store![
    of_eight_at_once_one_wins_each_revision,
    the_revision_is_a_strong_entity_tag,
    a_deletion_may_name_its_revision,
    a_star_is_whatever_revision_there_is,
    what_is_read_only_says_so_whatever_the_condition,
];

fn of_eight_at_once_one_wins_each_revision(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "wanted" }));
    for revision in 1..=10 {
        let etag = format!("\"{revision}\"");
        let change = |who: usize| {
            let description = format!("by {who} at {revision}");
            (patch(&gateway, ALICE, &id, &etag, &json!({ "description": description })), description)
        };
        let answers = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|who| scope.spawn(move || change(who))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(answer, _)| answer.status == 200);
        assert_eq!(won.len(), 1, "of revision {revision}");
        assert!(lost.iter().all(|(answer, _)| answer.problem() == "gateway:revision"));
        let now = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}"));
        assert_eq!(now.json()["description"], won[0].1);
        assert_eq!(
            (&now.json()["revision"], now.field("etag")),
            (&json!(revision + 1), won[0].0.field("etag"))
        );
    }
}

fn the_revision_is_a_strong_entity_tag(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "tagged" }));
    let path = format!("/v1/agents/{id}");
    let read = |tags: &str| call(ALICE, "GET", &path).field("If-None-Match", tags).send(gateway.address);
    for tags in ["\"1\"", "W/\"1\"", "\"9\", \"1\"", "*"] {
        let answer = read(tags);
        assert_eq!((answer.status, answer.field("etag"), &*answer.body), (304, Some("\"1\""), ""), "{tags}");
    }
    for tags in ["\"2\"", "1", "\"1", "\"\""] {
        assert_eq!((read(tags).status, read(tags).field("etag")), (200, Some("\"1\"")), "{tags}");
    }
    // Several fields are one.
    let change = |fields: &[&str]| {
        let call = call(ALICE, "PATCH", &path).json(r#"{"owner":"alice"}"#);
        let call = fields.iter().fold(call, |call, field| call.field("If-Match", field));
        call.send(gateway.address)
    };
    assert_eq!(change(&["\"9\"", "\"8\", \"1\""]).status, 200);
    for (fields, problem) in [
        (&[][..], "gateway:precondition-required"),
        (&["\"1\""], "gateway:revision"),
        (&["W/\"2\""], "gateway:revision"),
        (&["\"02\""], "gateway:revision"),
        (&["2"], "gateway:malformed-if-match"),
        (&["\"2\"", "2"], "gateway:malformed-if-match"),
        (&["\"2\"", "*"], "gateway:malformed-if-match"),
        (&[""], "gateway:malformed-if-match"),
    ] {
        assert_eq!(change(fields).problem(), problem, "{fields:?}");
    }
    assert_eq!(ask(&gateway, ALICE, "GET", &path).json()["revision"], 2);
}

fn a_deletion_may_name_its_revision(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "old" }));
    let delete = |tags| call(ALICE, "DELETE", &format!("/v1/agents/{id}")).field("If-Match", tags);
    assert_eq!(delete("\"2\"").send(gateway.address).problem(), "gateway:revision");
    assert_eq!(delete("W/\"1\"").send(gateway.address).problem(), "gateway:revision");
    assert_eq!(delete("1").send(gateway.address).problem(), "gateway:malformed-if-match");
    assert_eq!(delete("\"1\"").send(gateway.address).status, 204);
}

fn a_star_is_whatever_revision_there_is(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "any" }));
    for revision in 2..5 {
        let answer = patch(&gateway, ALICE, &id, "*", &json!({ "owner": revision.to_string() }));
        assert_eq!((answer.status, &answer.json()["revision"]), (200, &json!(revision)));
    }
}

fn what_is_read_only_says_so_whatever_the_condition(store: &Store) {
    let gateway = store.start();
    let shared = active(&gateway, OPERATOR, &json!({ "name": "shared", "visibility": "shared" }));
    for tags in ["\"3\"", "\"9\"", "*"] {
        let answer = patch(&gateway, ALICE, &shared, tags, &json!({ "owner": "alice" }));
        assert_eq!((answer.status, answer.problem()), (403, "gateway:agent-read-only".to_owned()), "{tags}");
    }
    // Nor can the platform decide on it as if it were acme's.
    let approve = format!("/v1/tenants/{ACME}/agents/{shared}/approve");
    assert_eq!(ask(&gateway, OPERATOR, "POST", &approve).problem(), "gateway:agent-read-only");
}
