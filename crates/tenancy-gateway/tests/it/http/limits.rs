//! One tenant's use does not reduce another tenant's limits.

use std::time::Duration;

use serde_json::json;

use crate::support::call::{Call, Connection};
use crate::support::process::wait_for;
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, PATIENCE};

on_each_store![
    rate_limit_applies_per_tenant,
    rejects_bodies_over_64_kib,
    text_limit_counts_characters,
    note_limit_applies_per_tenant,
    page_has_at_most_256_kib,
    request_limit_applies_per_tenant,
];

/// The bodies of the requests never arrive, so each request occupies a place until its time-out.
fn request_limit_applies_per_tenant(store: &Store) {
    let gateway = store.start();
    let half = Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"a"}"#).bytes();
    let mut slow: Vec<_> = (0..64).map(|_| Connection::to(gateway.address)).collect();
    for connection in &mut slow {
        connection.write(&half[..half.len() - 1]);
    }
    let one_more = Call::get("/v1/notes").by("alice").of(ACME);
    let mut waiting = wait_for(|| {
        let mut connection = Connection::to(gateway.address);
        connection.write(&one_more.bytes());
        connection.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        connection.stream.peek(&mut [0]).is_err().then_some(connection)
    })
    .expect("it waits once all of the others are in work");
    assert_eq!(Call::get("/v1/notes").by("bob").of(GLOBEX).send(gateway.address).status, 200);
    slow[0].write(&half[half.len() - 1..]);
    assert_eq!(slow[0].answer().status, 201);
    waiting.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(waiting.answer().status, 200);
}

fn rate_limit_applies_per_tenant(store: &Store) {
    let gateway = store.with(&["--rate", "1", "--burst", "3"]);
    let ask = |principal, tenant| Call::get("/v1/notes").by(principal).of(tenant).send(gateway.address);
    let refused = || (0..100).map(|_| ask("alice", ACME)).find(|answer| answer.status != 200);
    let first = refused().expect("a limit");
    assert_eq!((first.status, first.problem()), (429, "tenancy:tenant-rate-limited".to_owned()));
    let wait: u64 = first.field("retry-after").expect("when to come again").parse().unwrap();
    assert_eq!(wait, 1);
    // A token may be added meanwhile, but not each time; a limit of its own would let three requests pass.
    let is_refused = (0..3).any(|_| refused().is_some() && ask("operator", ACME).status == 429);
    assert!(is_refused, "it is the tenant's limit, whoever acts for it");
    assert_eq!(ask("bob", GLOBEX).status, 200);
    assert_eq!(Call::get("/healthz").send(gateway.address).status, 200);
    // Requests that are rejected earlier do not count against the tenant.
    let gateway = store.with(&["--rate", "1", "--burst", "1"]);
    for _ in 0..5 {
        assert_eq!(Call::get("/v1/notes").by("bob").of(ACME).send(gateway.address).status, 403);
        assert_eq!(Call::get("/v1/notes").of(ACME).send(gateway.address).status, 401);
    }
    assert_eq!(Call::get("/v1/notes").by("alice").of(ACME).send(gateway.address).status, 200);
}

fn rejects_bodies_over_64_kib(store: &Store) {
    let gateway = store.start();
    let post = |length: usize| {
        let body = r#"{"text":"a"}"#.to_owned();
        let body = " ".repeat(length - body.len()) + &body;
        Call::new("POST", "/v1/notes").by("alice").of(ACME).json(&body).send(gateway.address)
    };
    assert_eq!(post(65_536).status, 201);
    let refused = post(65_537);
    assert_eq!((refused.status, refused.problem()), (413, "gateway:too-large".to_owned()));
}

fn text_limit_counts_characters(store: &Store) {
    let gateway = store.start();
    let post = |text: &str| {
        let body = format!(r#"{{"text":"{text}"}}"#);
        Call::new("POST", "/v1/notes").by("alice").of(ACME).json(&body).send(gateway.address)
    };
    for character in ["a", "\u{1f980}", r"\u0041", r"\ud83e\udd80"] {
        assert_eq!(post(&character.repeat(4096)).status, 201, "{character}");
        let refused = post(&character.repeat(4097));
        assert_eq!((refused.status, refused.problem()), (422, "gateway:text-length".to_owned()));
    }
}

fn note_limit_applies_per_tenant(store: &Store) {
    let gateway = store.start();
    let mut connection = Connection::to(gateway.address);
    let post =
        |principal, tenant| Call::new("POST", "/v1/notes").by(principal).of(tenant).json(r#"{"text":"a"}"#);
    let mut last = json!(null);
    for _ in 0..1000 {
        let answer = connection.ask(&post("alice", ACME));
        assert_eq!(answer.status, 201);
        last = answer.json();
    }
    let refused = connection.ask(&post("alice", ACME));
    assert_eq!((refused.status, refused.problem()), (409, "gateway:notes-full".to_owned()));
    assert_eq!(connection.ask(&post("bob", GLOBEX)).status, 201);
    let path = format!("/v1/notes/{}", last["id"].as_str().unwrap());
    assert_eq!(connection.ask(&Call::new("DELETE", &path).by("alice").of(ACME)).status, 204);
    assert_eq!(connection.ask(&post("alice", ACME)).status, 201);
}

/// The memory of a list request is limited, and all notes can be read.
fn page_has_at_most_256_kib(store: &Store) {
    let gateway = store.with(&["--rate", "0"]);
    let mut connection = Connection::to(gateway.address);
    // The length in UTF-8, and with JSON's escapes.
    for (principal, tenant, character, expected) in
        [("alice", ACME, "\u{1f980}", [16, 16, 8]), ("bob", GLOBEX, "\\u0001", [10, 10, 4])]
    {
        let body = format!(r#"{{"text":"{}"}}"#, character.repeat(4096));
        for _ in 0..expected.iter().sum() {
            let call = Call::new("POST", "/v1/notes").by(principal).of(tenant).json(&body);
            assert_eq!(connection.ask(&call).status, 201);
        }
        let mut path = "/v1/notes?limit=200".to_owned();
        let mut lengths = Vec::new();
        loop {
            let page = connection.ask(&Call::get(&path).by(principal).of(tenant)).json();
            lengths.push(page["notes"].as_array().unwrap().len());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/notes?limit=200&after={next}");
        }
        assert_eq!(lengths, expected);
    }
}
