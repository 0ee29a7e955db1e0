//! The stream of a tenant's changes.

use serde_json::json;

use crate::support::call::{Call, Connection};
use crate::support::process::{Gateway, wait_for};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, PLATFORM};

on_each_store![
    tenants_receive_only_their_own_events,
    stream_has_all_kinds_of_changes_in_order,
    slow_reader_receives_lagged,
    rejects_the_seventeenth_stream,
    suspension_ends_only_the_tenants_streams,
];

fn listen(gateway: &Gateway, principal: &str, tenant: &str) -> Connection {
    listen_on(Connection::to(gateway.address), principal, tenant)
}

fn listen_on(mut connection: Connection, principal: &str, tenant: &str) -> Connection {
    connection.write(&Call::get("/v1/notes/events").by(principal).of(tenant).bytes());
    let answer = connection.answer_head();
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("text/event-stream")));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    connection
}

fn post(gateway: &Gateway, principal: &str, tenant: &str, text: &str) -> String {
    let body = json!({ "text": text }).to_string();
    let answer = Call::new("POST", "/v1/notes").by(principal).of(tenant).json(&body).send(gateway.address);
    answer.json()["id"].as_str().expect("a note").to_owned()
}

fn tenants_receive_only_their_own_events(store: &Store) {
    let gateway = store.start();
    let (mut acme, mut globex) = (listen(&gateway, "alice", ACME), listen(&gateway, "bob", GLOBEX));
    for round in 0..20 {
        post(&gateway, "alice", ACME, &format!("acme {round}"));
        post(&gateway, "bob", GLOBEX, &format!("globex {round}"));
    }
    let acme = acme.until("acme 19");
    let globex = globex.until("globex 19");
    assert!(!acme.contains("globex") && !globex.contains("acme"), "{acme}{globex}");
    assert_eq!(acme.matches("event: created").count(), 20);
    assert_eq!(globex.matches("event: created").count(), 20);
}

fn stream_has_all_kinds_of_changes_in_order(store: &Store) {
    let gateway = store.start();
    let mut events = listen(&gateway, "alice", ACME);
    let path = format!("/v1/notes/{}", post(&gateway, "alice", ACME, "one\nand more"));
    Call::new("PUT", &path).by("alice").of(ACME).json(r#"{"text":"two"}"#).send(gateway.address);
    Call::new("DELETE", &path).by("alice").of(ACME).send(gateway.address);
    let heard =
        events.until("event: created") + &events.until("event: updated") + &events.until("event: deleted");
    assert!(heard.contains(r#""text":"one\nand more""#), "{heard}");
    let id = path.trim_start_matches("/v1/notes/");
    events.until(&format!("data: {{\"id\":\"{id}\"}}\n\n"));
}

fn slow_reader_receives_lagged(store: &Store) {
    // The writer may be slow too; the stream must not be closed meanwhile.
    let gateway = store.with(&["--rate", "0", "--write-timeout", "600"]);
    let mut slow = listen_on(Connection::with_small_buffer(gateway.address), "alice", ACME);
    let path = format!("/v1/notes/{}", post(&gateway, "alice", ACME, "one"));
    let body = json!({ "text": "\u{1f980}".repeat(4096) }).to_string();
    let change = Call::new("PUT", &path).by("alice").of(ACME).json(&body);
    let mut connection = Connection::to(gateway.address);
    // More than the socket buffers and the backlog hold together.
    for _ in 0..400 {
        assert_eq!(connection.ask(&change).status, 200);
    }
    slow.until("event: lagged\ndata: {\"missed\":");
    post(&gateway, "alice", ACME, "and on it goes");
    slow.until("and on it goes");
}

fn rejects_the_seventeenth_stream(store: &Store) {
    let gateway = store.start();
    let mut streams: Vec<_> = (0..16).map(|_| listen(&gateway, "alice", ACME)).collect();
    let one_more = Call::get("/v1/notes/events").by("alice").of(ACME);
    let refused = one_more.send(gateway.address);
    assert_eq!((refused.status, refused.problem()), (429, "gateway:too-many-streams".to_owned()));
    listen(&gateway, "bob", GLOBEX);
    streams.pop();
    let status = wait_for(|| {
        let mut connection = Connection::to(gateway.address);
        connection.write(&one_more.bytes());
        Some(connection.answer_head().status).filter(|status| *status == 200)
    });
    assert_eq!(status, Some(200), "a stream that ended is counted no more");
}

fn suspension_ends_only_the_tenants_streams(store: &Store) {
    let gateway = store.start();
    let (mut acme, mut globex) = (listen(&gateway, "alice", ACME), listen(&gateway, "bob", GLOBEX));
    let path = format!("/v1/tenants/{GLOBEX}/suspend");
    assert_eq!(Call::new("POST", &path).by("operator").of(PLATFORM).send(gateway.address).status, 200);
    globex.until("0\r\n\r\n");
    post(&gateway, "alice", ACME, "still here");
    acme.until("still here");
}
