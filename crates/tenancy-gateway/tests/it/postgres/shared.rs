//! Two instances on one database.

use serde_json::json;

use crate::support::call::{Call, Connection};
use crate::support::database::Database;
use crate::support::process::{Gateway, wait_for};
use crate::support::redis_server::Server;
use crate::support::{ACME, GLOBEX, NOBODY, PLATFORM};

const FREE: [&str; 2] = ["--rate", "0"];

fn ask(gateway: &Gateway, tenant: &str, call: &str, text: &str) -> (u16, serde_json::Value) {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let call = Call::new(method, path).by("operator").of(tenant);
    let answer = call.json(&json!({ "text": text }).to_string()).send(gateway.address);
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

fn create(gateway: &Gateway, tenant: &str, text: &str) -> String {
    let (status, note) = ask(gateway, tenant, "POST /v1/notes", text);
    assert_eq!(status, 201, "{note}");
    note["id"].as_str().expect("an id").to_owned()
}

fn texts(gateway: &Gateway, tenant: &str) -> Vec<String> {
    let (_, page) = ask(gateway, tenant, "GET /v1/notes?limit=200", "");
    page["notes"]
        .as_array()
        .expect("notes")
        .iter()
        .map(|note| note["text"].as_str().unwrap().into())
        .collect()
}

/// Checks that one instance's changes are visible through the other, and not to another tenant.
fn assert_shared(one: &Gateway, other: &Gateway) {
    let id = create(one, ACME, "one");
    let path = format!("/v1/notes/{id}");
    let read = format!("GET {path}");
    for gateway in [one, other, one, other] {
        assert_eq!(ask(gateway, ACME, &read, "").1["text"], "one");
    }
    for gateway in [one, other] {
        for method in ["GET", "PUT", "DELETE"] {
            assert_eq!(ask(gateway, GLOBEX, &format!("{method} {path}"), "globex's").0, 404, "{method}");
        }
        assert_eq!(texts(gateway, GLOBEX), [""; 0]);
    }
    for (gateway, text) in [(other, "two"), (one, "three")] {
        assert_eq!(ask(gateway, ACME, &format!("PUT {path}"), text).0, 200);
        for gateway in [one, other] {
            assert_eq!(ask(gateway, ACME, &read, "").1["text"], text);
        }
    }
    assert_eq!(ask(other, ACME, &format!("DELETE {path}"), "").0, 204);
    for gateway in [one, other] {
        assert_eq!(ask(gateway, ACME, &read, "").0, 404);
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn both_instances_see_a_note_and_no_other_tenant_does() {
    let database = Database::migrated();
    assert_shared(&database.gateway(&FREE), &database.gateway(&FREE));
}

#[test]
#[ignore = "needs postgres and redis-server; cargo xtask test runs it"]
fn instances_of_one_database_share_the_cache() {
    let (database, redis) = (Database::migrated(), Server::start());
    let cached = |database: &Database| database.gateway(&["--rate", "0", "--redis-url", &redis.url()]);
    let (one, other) = (cached(&database), cached(&database));
    assert_shared(&one, &other);
    let id = create(&one, ACME, "cached");
    let read = format!("GET /v1/notes/{id}");
    assert_eq!(ask(&other, ACME, &read, "").1["text"], "cached");
    let store = database.ask("SELECT replace(id::text, '-', '') FROM gateway.store");
    let key = format!("t:{}:cache:notes:{}:{}", ACME.replace('-', ""), store[0], id.replace('-', ""));
    assert_eq!(redis.ask::<u32>(&format!("EXISTS {key}")), 1, "{:?}", redis.ask::<Vec<String>>("KEYS *"));
    // Both instances answer from the cache.
    database.operate("UPDATE gateway.notes SET text = 'changed by hand'");
    for gateway in [&one, &other] {
        assert_eq!(ask(gateway, ACME, &read, "").1["text"], "cached");
    }
    // An instance of another database with the same tenants does not.
    let elsewhere = Database::migrated_with(&[]);
    assert_eq!(ask(&cached(&elsewhere), ACME, &read, "").0, 404);
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn notes_survive_all_instances_in_order() {
    let database = Database::migrated();
    let made: Vec<_> = {
        let (one, other) = (database.gateway(&FREE), database.gateway(&FREE));
        (0..10).flat_map(|_| [&one, &other].map(|gateway| create(gateway, ACME, "kept"))).collect()
    };
    let (_, page) = ask(&database.gateway(&FREE), ACME, "GET /v1/notes?limit=200", "");
    let ids: Vec<_> =
        page["notes"].as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap()).collect();
    assert_eq!(ids, made, "in the order in which they were made, by whichever instance");
    let tenants = database.ask("SELECT string_agg(DISTINCT tenant_id::text, ' ') FROM gateway.notes");
    assert_eq!(tenants, [ACME]);
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn note_limit_holds_across_instances() {
    let database = Database::migrated();
    let limit = ["--rate", "0", "--max-notes", "10"];
    let gateways = [database.gateway(&limit), database.gateway(&limit)];
    let post = |gateway: &Gateway| ask(gateway, ACME, "POST /v1/notes", "one").0;
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|at| {
                let gateway = &gateways[at % 2];
                scope.spawn(move || (0..4).filter(|_| post(gateway) == 201).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((made, texts(&gateways[0], ACME).len()), (10, 10));
    assert_eq!(post(&gateways[1]), 409);
    create(&gateways[1], GLOBEX, "another's");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn suspension_reaches_the_other_instance() {
    let database = Database::migrated();
    let (one, other) = (database.gateway(&FREE), database.gateway(&FREE));
    let bob = || Call::get("/v1/notes").by("bob").of(GLOBEX).send(other.address);
    assert_eq!(bob().status, 200);
    let mut events = Connection::to(other.address);
    events.write(&Call::get("/v1/notes/events").by("bob").of(GLOBEX).bytes());
    assert_eq!(events.answer_head().status, 200);

    assert_eq!(ask(&one, PLATFORM, &format!("POST /v1/tenants/{GLOBEX}/suspend"), "").0, 200);
    let refused = wait_for(|| Some(bob()).filter(|answer| answer.status != 200)).expect("it is obeyed");
    assert_eq!((refused.status, refused.problem()), (403, "tenancy:tenant-suspended".to_owned()));
    events.until("0\r\n\r\n");
    assert_eq!(ask(&other, ACME, "GET /v1/whoami", "").0, 200);

    assert_eq!(ask(&one, PLATFORM, &format!("POST /v1/tenants/{GLOBEX}/resume"), "").0, 200);
    wait_for(|| (bob().status == 200).then_some(())).expect("it is served again");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn created_tenant_is_served_by_the_other_instance() {
    let database = Database::migrated();
    let (one, other) = (database.gateway(&FREE), database.gateway(&FREE));
    let whoami = || ask(&other, NOBODY, "GET /v1/whoami", "");
    assert_eq!(whoami().0, 404);
    let body = json!({ "slug": "hooli", "id": NOBODY }).to_string();
    let call = Call::new("POST", "/v1/tenants").by("operator").of(PLATFORM).json(&body);
    assert_eq!(call.send(one.address).status, 201);
    let (_, answer) = wait_for(|| Some(whoami()).filter(|(status, _)| *status == 200)).expect("it is served");
    assert_eq!(answer["slug"], "hooli");
    assert_eq!(call.send(other.address).problem(), "gateway:tenant-taken");
}
