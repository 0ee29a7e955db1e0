//! Approval of agents by the platform.

use serde_json::json;

use crate::support::agents::{active, ask, call, patch, post, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, INITECH, NOBODY};
use crate::support::{ALICE, BOB, OPERATOR, Who};

on_each_store![
    only_the_platform_approves_and_rejects,
    approval_applies_to_the_named_tenant_only,
    decision_does_not_show_the_agents_content,
    only_the_platform_sees_who_holds_a_name,
    unknown_tenant_is_not_found,
];

fn decide(who: Who, tenant: &str, id: &str, word: &str) -> crate::support::call::Call {
    call(who, "POST", &format!("/v1/tenants/{tenant}/agents/{id}/{word}"))
}

fn only_the_platform_approves_and_rejects(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    assert_eq!(ask(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
    let mut answers = Vec::new();
    for who in [ALICE, BOB, ("operator", ACME), ("operator", GLOBEX)] {
        for word in ["approve", "reject"] {
            for (tenant, id) in [(ACME, &*id), (ACME, NOBODY), (NOBODY, &id), ("x", "y"), (GLOBEX, &id)] {
                answers.push(decide(who, tenant, id, word).send(gateway.address));
            }
        }
    }
    assert_eq!(answers[0].problem(), "gateway:platform-only");
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // No other transition makes a waiting agent active.
    for step in ["resume", "suspend", "deprecate", "submit"] {
        let answer = ask(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/{step}"));
        assert_eq!(answer.problem(), "gateway:invalid-transition", "{step}");
        assert_eq!(answer.json()["from"], "pending_approval");
    }
    assert_eq!(patch(&gateway, ALICE, &id, "*", &json!({ "status": "active" })).status, 422);
    assert_eq!(post(&gateway, ALICE, "/v1/agents", &json!({ "name": "b", "status": "active" })).status, 422);
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}")).json()["status"], "pending_approval");
    assert_eq!(decide(OPERATOR, ACME, &id, "reject").send(gateway.address).json()["status"], "rejected");
    let answer = decide(OPERATOR, ACME, &id, "approve").send(gateway.address);
    assert_eq!((&answer.json()["from"], &answer.json()["to"]), (&json!("rejected"), &json!("active")));
}

fn approval_applies_to_the_named_tenant_only(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a" }));
    assert_eq!(ask(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
    let absent = decide(OPERATOR, GLOBEX, NOBODY, "approve").send(gateway.address);
    assert_eq!(absent.problem(), "gateway:no-such-agent");
    assert_eq!(decide(OPERATOR, GLOBEX, &id, "approve").send(gateway.address), absent);
    assert_eq!(decide(OPERATOR, GLOBEX, "no-id", "approve").send(gateway.address), absent);
    // The platform cannot read the agent either.
    assert_eq!(
        ask(&gateway, OPERATOR, "GET", &format!("/v1/agents/{id}")).problem(),
        "gateway:no-such-agent"
    );
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}")).json()["status"], "pending_approval");
    // Agents of a suspended tenant are looked up as well; this one does not exist.
    assert_eq!(decide(OPERATOR, INITECH, NOBODY, "approve").send(gateway.address), absent);
}

fn decision_does_not_show_the_agents_content(store: &Store) {
    let gateway = store.start();
    for (name, word, status) in [("marker-a", "approve", "active"), ("marker-b", "reject", "rejected")] {
        let said = json!({ "name": name, "owner": "marker", "description": "marker", "capabilities": ["marker"],
            "endpoint": "https://marker.example", "card": { "marker": true } });
        let id = register(&gateway, ALICE, &said);
        assert_eq!(ask(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
        let answer = decide(OPERATOR, ACME, &id, word).send(gateway.address);
        let agent = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}"));
        let (at, tag) = (&agent.json()["updated_at"], agent.field("etag"));
        let told = json!({ "id": id, "status": status, "revision": 3, "updated_at": at });
        assert_eq!((answer.status, answer.json(), answer.field("etag")), (200, told, tag));
        assert!(!answer.body.contains("marker"));
    }
}

fn only_the_platform_sees_who_holds_a_name(store: &Store) {
    let gateway = store.start();
    register(&gateway, BOB, &json!({ "name": "helper" }));
    register(&gateway, ALICE, &json!({ "name": "helper" }));
    let id = register(&gateway, OPERATOR, &json!({ "name": "helper", "visibility": "shared" }));
    assert_eq!(ask(&gateway, OPERATOR, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
    let answer = decide(OPERATOR, OPERATOR.1, &id, "approve").send(gateway.address);
    assert_eq!((answer.status, answer.problem()), (409, "gateway:name-held".to_owned()));
    assert_eq!((&answer.json()["holder"], &answer.json()["others"]), (&json!(ACME), &json!(1)));

    active(&gateway, OPERATOR, &json!({ "name": "guide", "visibility": "shared" }));
    let answer = post(&gateway, BOB, "/v1/agents", &json!({ "name": "guide" }));
    assert_eq!((answer.status, answer.problem()), (409, "gateway:name-shared".to_owned()));
    assert!(answer.json().get("holder").is_none());
}

fn unknown_tenant_is_not_found(store: &Store) {
    let gateway = store.start();
    for tenant in [NOBODY, "acme", "00000000-0000-0000-0000-000000000000", "%ff"] {
        for word in ["approve", "reject"] {
            let answer = decide(OPERATOR, tenant, NOBODY, word).send(gateway.address);
            assert_eq!((answer.status, answer.problem()), (404, "gateway:no-such-tenant".to_owned()));
        }
    }
}
