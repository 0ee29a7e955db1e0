//! Preconditions: `If-Match` and `If-None-Match`.

use std::thread;

use serde_json::json;

use crate::support::agents::{active, ask, call, patch, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, NOBODY};
use crate::support::{ALICE, OPERATOR};

on_each_store![
    one_of_eight_concurrent_changes_wins_each_revision,
    revision_is_a_strong_etag,
    lookup_by_name_has_no_etag,
    deletion_checks_if_match,
    transition_checks_if_match,
    decision_checks_if_match,
    if_match_star_accepts_any_revision,
    no_concurrent_change_with_star_is_lost,
    if_match_star_ignores_concurrent_changes,
    read_only_agent_is_403_despite_conditions,
    change_checks_if_none_match,
    read_checks_if_match,
];

fn one_of_eight_concurrent_changes_wins_each_revision(store: &Store) {
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

fn revision_is_a_strong_etag(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "tagged" }));
    let path = format!("/v1/agents/{id}");
    let read = |tags: &str| call(ALICE, "GET", &path).field("If-None-Match", tags).send(gateway.address);
    for tags in ["\"1\"", "W/\"1\"", "\"9\", \"1\"", "*", "\"1\","] {
        let answer = read(tags);
        assert_eq!((answer.status, answer.field("etag"), &*answer.body), (304, Some("\"1\""), ""), "{tags}");
    }
    for tags in ["\"2\"", "1", "\"1", "\"\""] {
        assert_eq!((read(tags).status, read(tags).field("etag")), (200, Some("\"1\"")), "{tags}");
    }
    // Several header lines are one list.
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

fn lookup_by_name_has_no_etag(store: &Store) {
    let gateway = store.start();
    let mut read = Vec::new();
    for owner in ["one", "another"] {
        let id = register(&gateway, ALICE, &json!({ "name": "support", "owner": owner }));
        let by_name = call(ALICE, "GET", "/v1/agents/by-name/support");
        read.push(by_name.field("If-None-Match", "\"1\"").send(gateway.address));
        // Its revision is the entity tag of the agent by id.
        let answer = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}"));
        assert_eq!((answer.field("etag"), &answer.json()["revision"]), (Some("\"1\""), &json!(1)));
        assert_eq!(ask(&gateway, ALICE, "DELETE", &format!("/v1/agents/{id}")).status, 204);
    }
    for (answer, owner) in read.iter().zip(["one", "another"]) {
        assert_eq!(
            (answer.status, answer.field("etag"), &answer.json()["owner"]),
            (200, None, &json!(owner))
        );
    }
}

fn deletion_checks_if_match(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "old" }));
    let delete = |tags| call(ALICE, "DELETE", &format!("/v1/agents/{id}")).field("If-Match", tags);
    assert_eq!(delete("\"2\"").send(gateway.address).problem(), "gateway:revision");
    assert_eq!(delete("W/\"1\"").send(gateway.address).problem(), "gateway:revision");
    assert_eq!(delete("1").send(gateway.address).problem(), "gateway:malformed-if-match");
    assert_eq!(delete("\"1\"").send(gateway.address).status, 204);
}

fn transition_checks_if_match(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "stepped" }));
    let path = format!("/v1/agents/{id}");
    let mut revision = 1;
    for (step, status) in [
        ("submit", "pending_approval"),
        ("suspend", "suspended"),
        ("resume", "active"),
        ("deprecate", "deprecated"),
    ] {
        let take = |tags: &str| {
            call(ALICE, "POST", &format!("{path}/{step}")).field("If-Match", tags).send(gateway.address)
        };
        let (stale, weak) = (format!("\"{}\"", revision + 1), format!("W/\"{revision}\""));
        for tags in [&*stale, &weak, "\"0\""] {
            assert_eq!(take(tags).problem(), "gateway:revision", "{step} of {tags}");
        }
        assert_eq!(take("1").problem(), "gateway:malformed-if-match", "{step}");
        assert_eq!(ask(&gateway, ALICE, "GET", &path).json()["revision"], revision, "{step}");
        let answer = take(&format!("\"9\", \"{revision}\""));
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(status)), "{step}");
        revision += 1;
        if step == "submit" {
            let approve = format!("/v1/tenants/{ACME}/agents/{id}/approve");
            assert_eq!(ask(&gateway, OPERATOR, "POST", &approve).status, 200);
            revision += 1;
        }
    }
    // A star requires only that the agent exists; an invalid transition is still a 409.
    let submit = |id: &str| {
        call(ALICE, "POST", &format!("/v1/agents/{id}/submit")).field("If-Match", "*").send(gateway.address)
    };
    assert_eq!(submit(&id).problem(), "gateway:invalid-transition");
    assert_eq!(submit(NOBODY).problem(), "gateway:no-such-agent");
    assert_eq!(submit(&register(&gateway, ALICE, &json!({ "name": "any" }))).status, 200);
}

fn decision_checks_if_match(store: &Store) {
    let gateway = store.start();
    for (name, word, tags) in [("a", "approve", "\"2\""), ("b", "reject", "\"2\""), ("c", "approve", "*")] {
        let id = register(&gateway, ALICE, &json!({ "name": name }));
        assert_eq!(ask(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
        let path = format!("/v1/tenants/{ACME}/agents/{id}/{word}");
        let decide = |tags: &str| call(OPERATOR, "POST", &path).field("If-Match", tags).send(gateway.address);
        assert_eq!(decide("\"1\"").problem(), "gateway:revision", "{word}");
        assert_eq!(decide(tags).status, 200, "{word} of {tags}");
    }
}

fn if_match_star_accepts_any_revision(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "any" }));
    for revision in 2..5 {
        let answer = patch(&gateway, ALICE, &id, "*", &json!({ "owner": revision.to_string() }));
        assert_eq!((answer.status, &answer.json()["revision"]), (200, &json!(revision)));
    }
}

fn no_concurrent_change_with_star_is_lost(store: &Store) {
    let gateway = store.start();
    // A large card makes a patch slow enough to overlap with others.
    let card = json!({ "text": "x".repeat(60_000) });
    let id = register(&gateway, ALICE, &json!({ "name": "wanted", "card": card }));
    for round in 0..10 {
        let change = |who: usize| {
            let member = format!("of-{who}");
            patch(&gateway, ALICE, &id, "*", &json!({ "card": { member: round } }))
        };
        thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|who| scope.spawn(move || change(who))).collect();
            for one in all {
                assert_eq!(one.join().unwrap().status, 200, "in round {round}");
            }
        });
        let now = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}")).json();
        assert_eq!(now["revision"], (round + 1) * 8 + 1);
        assert!((0..8).all(|who| now["card"][format!("of-{who}")] == round), "each is patched in");
    }
}

fn if_match_star_ignores_concurrent_changes(store: &Store) {
    let gateway = store.start();
    let card = json!({ "text": "x".repeat(60_000) });
    for round in 0..10 {
        let id = register(&gateway, ALICE, &json!({ "name": format!("agent-{round}"), "card": card }));
        let path = format!("/v1/agents/{id}");
        assert_eq!(ask(&gateway, ALICE, "POST", &format!("{path}/submit")).status, 200);
        let approve = format!("/v1/tenants/{ACME}/agents/{id}/approve");
        for (who, method, path, status) in [
            (OPERATOR, "POST", &approve, 200),
            (ALICE, "POST", &format!("{path}/suspend"), 200),
            (ALICE, "DELETE", &path, 204),
        ] {
            let step = || call(who, method, path).field("If-Match", "*").send(gateway.address);
            let change = |who: usize| patch(&gateway, ALICE, &id, "*", &json!({ "owner": who.to_string() }));
            thread::scope(|scope| {
                let changes: Vec<_> = (0..6).map(|who| scope.spawn(move || change(who))).collect();
                assert_eq!(step().status, status, "{method} {path}");
                for answer in changes.into_iter().map(|change| change.join().unwrap()) {
                    assert!(answer.status == 200 || method == "DELETE" && answer.status == 410, "{answer:?}");
                }
            });
        }
    }
}

fn read_only_agent_is_403_despite_conditions(store: &Store) {
    let gateway = store.start();
    let shared = active(&gateway, OPERATOR, &json!({ "name": "shared", "visibility": "shared" }));
    for tags in ["\"3\"", "\"9\"", "*"] {
        let answer = patch(&gateway, ALICE, &shared, tags, &json!({ "owner": "alice" }));
        assert_eq!((answer.status, answer.problem()), (403, "gateway:agent-read-only".to_owned()), "{tags}");
        let path = format!("/v1/agents/{shared}");
        // The platform cannot approve it as an agent of acme either.
        let approve = format!("/v1/tenants/{ACME}/agents/{shared}/approve");
        for (who, method, path) in [
            (ALICE, "DELETE", &path),
            (ALICE, "POST", &format!("{path}/suspend")),
            (OPERATOR, "POST", &approve),
        ] {
            let answer = call(who, method, path).field("If-Match", tags).send(gateway.address);
            assert_eq!(answer.problem(), "gateway:agent-read-only", "{method} {path} of {tags}");
            assert_eq!(ask(&gateway, who, method, path).problem(), "gateway:agent-read-only");
        }
    }
}

/// `If-None-Match` of changes: RFC 9110, section 13.1.2.
fn change_checks_if_none_match(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let path = format!("/v1/agents/{id}");
    for tags in ["*", "\"1\"", "W/\"1\"", "\"9\", \"1\""] {
        for (method, path) in [("PATCH", &path), ("DELETE", &path), ("POST", &format!("{path}/submit"))] {
            let call = call(ALICE, method, path).field("If-None-Match", tags).field("If-Match", "*");
            let answer = call.json(r#"{"owner":"me"}"#).send(gateway.address);
            assert_eq!(
                (answer.status, answer.problem()),
                (412, "gateway:revision".to_owned()),
                "{method} {tags}"
            );
        }
    }
    assert_eq!(ask(&gateway, ALICE, "GET", &path).json()["revision"], 1);
    let change = call(ALICE, "PATCH", &path).field("If-None-Match", "\"9\"").field("If-Match", "*");
    assert_eq!(change.json(r#"{"owner":"me"}"#).send(gateway.address).status, 200);
    let submit = call(ALICE, "POST", &format!("{path}/submit")).field("If-None-Match", "\"1\"");
    assert_eq!(submit.send(gateway.address).status, 200);
}

fn read_checks_if_match(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    let read = |id: &str, tags: &str| {
        call(ALICE, "GET", &format!("/v1/agents/{id}")).field("If-Match", tags).send(gateway.address)
    };
    for tags in ["\"1\"", "*", "\"9\", \"1\""] {
        assert_eq!(read(&id, tags).status, 200, "{tags}");
    }
    for tags in ["\"2\"", "W/\"1\""] {
        assert_eq!(read(&id, tags).problem(), "gateway:revision", "{tags}");
        assert_eq!(read(NOBODY, tags).problem(), "gateway:no-such-agent", "{tags}");
    }
    assert_eq!(read(&id, "1").problem(), "gateway:malformed-if-match");
}
