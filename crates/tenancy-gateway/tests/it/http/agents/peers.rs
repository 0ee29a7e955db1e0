//! Bugs that other projects had, named by their issue.

use serde_json::json;

use crate::support::NOBODY;
use crate::support::agents::{active, ask, names, patch, post, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB, OPERATOR};

on_each_store![
    clawith_376_and_openaev_6547_no_list_is_of_all_tenants,
    librechat_14196_what_is_listed_can_be_read_and_run,
    xagent_27_in_use_is_not_for_everyone,
    adcp_4194_there_is_one_flag_of_visibility,
    dify_34456_a_patch_is_of_the_tenants_own,
    open_mercato_1428_no_403_tells_what_a_404_hides,
];

/// dataelement/Clawith#376, OpenAEV-Platform/openaev#6547: the list was not filtered by tenant.
fn clawith_376_and_openaev_6547_no_list_is_of_all_tenants(store: &Store) {
    let gateway = store.start();
    active(&gateway, ALICE, &json!({ "name": "a", "capabilities": ["chat"], "visibility": "shared" }));
    let gone = register(&gateway, ALICE, &json!({ "name": "gone" }));
    assert_eq!(ask(&gateway, ALICE, "DELETE", &format!("/v1/agents/{gone}")).status, 204);
    let all = [
        "",
        "?status=active",
        "?status=deleted",
        "?capability=chat",
        "?visibility=shared",
        "?tier=standard",
        "/find?capability=chat",
        "?after=00000000-0000-0000-0000-000000000000",
    ];
    for query in all {
        for who in [BOB, OPERATOR] {
            let page = ask(&gateway, who, "GET", &format!("/v1/agents{query}")).json();
            assert_eq!(page, json!({ "agents": [], "next": null }), "{query}");
        }
        if query.starts_with('?') && !query.contains("after") || query.is_empty() {
            let count = ask(&gateway, BOB, "GET", &format!("/v1/agents/count{query}")).json();
            assert_eq!(count, json!({ "count": 0 }), "{query}");
        }
    }
}

/// danny-avila/LibreChat PR#14196: the loader saw global agents, but the middleware returned 404.
fn librechat_14196_what_is_listed_can_be_read_and_run(store: &Store) {
    let gateway = store.start();
    let shared = active(
        &gateway,
        OPERATOR,
        &json!({ "name": "shared", "visibility": "shared", "capabilities": ["chat"] }),
    );
    for who in [ALICE, BOB] {
        let read = ask(&gateway, who, "GET", &format!("/v1/agents/{shared}")).json();
        let listed = ask(&gateway, who, "GET", "/v1/agents").json();
        assert_eq!(listed["agents"], json!([read]));
        assert_eq!(ask(&gateway, who, "GET", "/v1/agents/by-name/shared").json(), read);
        assert_eq!(
            ask(&gateway, who, "GET", "/v1/agents/find?capability=chat").json()["agents"],
            json!([read])
        );
        assert_eq!(ask(&gateway, who, "GET", "/v1/agents/count").json(), json!({ "count": 1 }));
        assert_eq!(ask(&gateway, who, "GET", &format!("/v1/agents/{shared}/card")).status, 200);
    }
    // After that, none of them sees it.
    assert_eq!(ask(&gateway, OPERATOR, "POST", &format!("/v1/agents/{shared}/suspend")).status, 200);
    assert_eq!(ask(&gateway, BOB, "GET", &format!("/v1/agents/{shared}")).status, 404);
    assert_eq!(ask(&gateway, BOB, "GET", "/v1/agents/by-name/shared").status, 404);
    assert_eq!(names(&ask(&gateway, BOB, "GET", "/v1/agents").json()), [""; 0]);
    assert_eq!(ask(&gateway, BOB, "GET", "/v1/agents/count").json(), json!({ "count": 0 }));
}

/// xorbitsai/xagent#27: a published agent was visible to every tenant.
fn xagent_27_in_use_is_not_for_everyone(store: &Store) {
    let gateway = store.start();
    let shared =
        active(&gateway, ALICE, &json!({ "name": "a", "visibility": "shared", "capabilities": ["chat"] }));
    let private = active(
        &gateway,
        OPERATOR,
        &json!({ "name": "b", "visibility": "private", "capabilities": ["chat"] }),
    );
    for id in [shared, private] {
        assert_eq!(ask(&gateway, BOB, "GET", &format!("/v1/agents/{id}")).problem(), "gateway:no-such-agent");
    }
    assert_eq!(ask(&gateway, BOB, "GET", "/v1/agents/find?capability=chat").json()["agents"], json!([]));
}

/// adcontextprotocol/adcp PR#4194: two flags of visibility disagreed.
fn adcp_4194_there_is_one_flag_of_visibility(store: &Store) {
    let gateway = store.start();
    for flag in ["public", "is_public", "shared", "published", "is_published"] {
        let answer = post(&gateway, OPERATOR, "/v1/agents", &json!({ "name": "a", flag: true }));
        assert_eq!(answer.problem(), "gateway:wrong-shape", "{flag}");
    }
    let id = active(&gateway, OPERATOR, &json!({ "name": "a" }));
    let sees = || ask(&gateway, BOB, "GET", &format!("/v1/agents/{id}")).status;
    let mut etag = "\"3\"".to_owned();
    for (visibility, status) in [("shared", 200), ("private", 404), ("shared", 200), ("private", 404)] {
        let answer = patch(&gateway, OPERATOR, &id, &etag, &json!({ "visibility": visibility }));
        assert_eq!(answer.status, 200);
        answer.field("etag").expect("a tag").clone_into(&mut etag);
        let listed = ask(&gateway, BOB, "GET", "/v1/agents").json()["agents"].as_array().unwrap().len();
        assert_eq!((sees(), listed), (status, usize::from(status == 200)), "{visibility}");
    }
}

/// langgenius/dify PR#34456: PATCH was not filtered by tenant.
fn dify_34456_a_patch_is_of_the_tenants_own(store: &Store) {
    let gateway = store.start();
    let id = register(&gateway, ALICE, &json!({ "name": "a", "description": "acme's" }));
    for who in [BOB, OPERATOR, ("operator", BOB.1)] {
        for etag in ["\"1\"", "*"] {
            let answer = patch(&gateway, who, &id, etag, &json!({ "description": "mine" }));
            assert_eq!((answer.status, answer.problem()), (404, "gateway:no-such-agent".to_owned()));
        }
    }
    let agent = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}")).json();
    assert_eq!((&agent["description"], &agent["revision"]), (&json!("acme's"), &json!(1)));
}

/// open-mercato/open-mercato#1428: 403 for a foreign item, but 404 for an absent one.
fn open_mercato_1428_no_403_tells_what_a_404_hides(store: &Store) {
    let gateway = store.start();
    let id = active(&gateway, ALICE, &json!({ "name": "a", "visibility": "shared" }));
    for step in ["submit", "suspend", "resume", "deprecate", "heartbeat"] {
        let answers = [&id, NOBODY].map(|id| ask(&gateway, BOB, "POST", &format!("/v1/agents/{id}/{step}")));
        assert_eq!(answers[0], answers[1], "{step}");
        assert_eq!(answers[0].status, 404);
    }
    let shared = active(&gateway, OPERATOR, &json!({ "name": "b", "visibility": "shared" }));
    // A 403 is right for an agent that bob sees.
    for step in ["submit", "suspend", "resume", "deprecate", "heartbeat"] {
        let answer = ask(&gateway, BOB, "POST", &format!("/v1/agents/{shared}/{step}"));
        assert_eq!((answer.status, answer.problem()), (403, "gateway:agent-read-only".to_owned()), "{step}");
    }
    assert_eq!(ask(&gateway, BOB, "DELETE", &format!("/v1/agents/{shared}")).status, 403);
}
