//! Administration by the platform tenant.

use serde_json::json;

use crate::support::call::{Answer, Call};
use crate::support::process::Gateway;
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, INITECH, NOBODY, PLATFORM};

on_each_store![
    only_the_platform_manages_tenants,
    suspension_and_resumption_apply_to_the_next_request,
    platform_cannot_be_suspended,
    created_tenant_is_served_at_once,
    rejects_a_taken_id_or_slug,
    unknown_tenant_is_not_found,
    lists_have_pages,
    deleted_tenant_stays_deleted,
];

fn ask(gateway: &Gateway, method: &str, path: &str) -> Answer {
    Call::new(method, path).by("operator").of(PLATFORM).send(gateway.address)
}

fn create(gateway: &Gateway, body: &str) -> Answer {
    Call::new("POST", "/v1/tenants").by("operator").of(PLATFORM).json(body).send(gateway.address)
}

fn only_the_platform_manages_tenants(store: &Store) {
    let gateway = store.start();
    let suspend = format!("/v1/tenants/{GLOBEX}/suspend");
    let resume = format!("/v1/tenants/{INITECH}/resume");
    let read = format!("/v1/tenants/{GLOBEX}");
    let calls = [
        ("GET", "/v1/tenants"),
        ("POST", "/v1/tenants"),
        ("GET", &read),
        ("POST", &suspend),
        ("POST", &resume),
    ];
    let mut answers = Vec::new();
    for (method, path) in calls {
        for principal in ["alice", "operator"] {
            let call = Call::new(method, path).by(principal).of(ACME).json(r#"{"slug":"evil"}"#);
            answers.push(call.send(gateway.address));
        }
    }
    for answer in &answers {
        assert_eq!(answer.problem(), "gateway:platform-only");
        assert_eq!(answer, &answers[0]);
    }
    // Nothing was changed.
    let tenants = ask(&gateway, "GET", "/v1/tenants").json();
    let states: Vec<_> =
        tenants["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["status"]).collect();
    assert_eq!(states, ["active", "active", "active", "suspended"]);
}

fn suspension_and_resumption_apply_to_the_next_request(store: &Store) {
    let gateway = store.start();
    let bob = || Call::get("/v1/notes").by("bob").of(GLOBEX).send(gateway.address).status;
    let read = || ask(&gateway, "GET", &format!("/v1/tenants/{GLOBEX}")).json()["status"].clone();
    for _ in 0..3 {
        assert_eq!((bob(), read()), (200, json!("active")));
        for _ in 0..2 {
            let answer = ask(&gateway, "POST", &format!("/v1/tenants/{GLOBEX}/suspend"));
            assert_eq!(answer.json(), json!({ "id": GLOBEX, "slug": "globex", "status": "suspended" }));
            assert_eq!((bob(), read()), (403, json!("suspended")));
        }
        for _ in 0..2 {
            assert_eq!(ask(&gateway, "POST", &format!("/v1/tenants/{GLOBEX}/resume")).status, 200);
        }
    }
}

fn platform_cannot_be_suspended(store: &Store) {
    let gateway = store.start();
    let answer = ask(&gateway, "POST", &format!("/v1/tenants/{PLATFORM}/suspend"));
    assert_eq!((answer.status, answer.problem()), (409, "gateway:platform-stays".to_owned()));
    assert_eq!(ask(&gateway, "POST", &format!("/v1/tenants/{PLATFORM}/resume")).status, 200);
}

fn created_tenant_is_served_at_once(store: &Store) {
    let gateway = store.start();
    let whoami = || Call::get("/v1/whoami").by("operator").of(NOBODY).send(gateway.address);
    assert_eq!(whoami().status, 404);
    let created = create(&gateway, &json!({ "slug": "hooli", "id": NOBODY }).to_string());
    assert_eq!(created.status, 201);
    assert_eq!(created.field("location"), Some(format!("/v1/tenants/{NOBODY}").as_str()));
    assert_eq!(whoami().json()["slug"], "hooli");
    let created = create(&gateway, r#"{"slug":"pied-piper"}"#);
    assert_eq!((created.status, &created.json()["status"]), (201, &json!("active")));
}

fn rejects_a_taken_id_or_slug(store: &Store) {
    let gateway = store.start();
    let problem = |body: serde_json::Value| {
        let answer = create(&gateway, &body.to_string());
        (answer.status, answer.problem())
    };
    let taken = (409, "gateway:tenant-taken".to_owned());
    assert_eq!(problem(json!({ "slug": "acme" })), taken);
    assert_eq!(problem(json!({ "slug": "other", "id": ACME })), taken);
    assert_eq!(problem(json!({ "slug": "other", "id": ACME.replace('-', "") })), taken);
    let malformed = (422, "gateway:tenant-form".to_owned());
    assert_eq!(problem(json!({ "slug": "Acme" })), malformed);
    assert_eq!(problem(json!({ "slug": "ok", "id": "x" })), malformed);
    assert_eq!(problem(json!({ "slug": "ok", "id": "00000000-0000-0000-0000-000000000000" })), malformed);
    assert_eq!(problem(json!({ "slug": "ok", "status": "active" })).1, "gateway:wrong-shape");
    assert_eq!(problem(json!(["ok", null])).1, "gateway:wrong-shape");
}

fn unknown_tenant_is_not_found(store: &Store) {
    let gateway = store.start();
    for (method, path) in [("GET", ""), ("POST", "/suspend"), ("POST", "/resume")] {
        for id in [NOBODY, "acme", "00000000-0000-0000-0000-000000000000"] {
            let answer = ask(&gateway, method, &format!("/v1/tenants/{id}{path}"));
            assert_eq!((answer.status, answer.problem()), (404, "gateway:no-such-tenant".to_owned()));
        }
    }
}

fn lists_have_pages(store: &Store) {
    let gateway = store.start();
    let first = ask(&gateway, "GET", "/v1/tenants?limit=3").json();
    assert_eq!((first["tenants"].as_array().unwrap().len(), &first["next"]), (3, &json!(GLOBEX)));
    let second = ask(&gateway, "GET", &format!("/v1/tenants?limit=3&after={GLOBEX}")).json();
    assert_eq!(second["tenants"], json!([{ "id": INITECH, "slug": "initech", "status": "suspended" }]));
    assert_eq!(second["next"], json!(null));
}

fn deleted_tenant_stays_deleted(store: &Store) {
    let demo = include_str!("../../../demo.json").replace("suspended", "deleted");
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("deleted.json");
    std::fs::write(&path, demo).expect("written");
    let gateway = store.with(&["--principals", path.to_str().expect("UTF-8")]);
    for action in ["suspend", "resume"] {
        let answer = ask(&gateway, "POST", &format!("/v1/tenants/{INITECH}/{action}"));
        assert_eq!((answer.status, answer.problem()), (409, "gateway:tenant-deleted".to_owned()), "{action}");
    }
    let read = ask(&gateway, "GET", &format!("/v1/tenants/{INITECH}")).json();
    assert_eq!(read, json!({ "id": INITECH, "slug": "initech", "status": "deleted" }));
    let taken = create(&gateway, &json!({ "slug": "initech" }).to_string());
    assert_eq!((taken.status, taken.problem()), (409, "gateway:tenant-taken".to_owned()));
}
