//! Outages of the database.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use serde_json::json;

use crate::support::call::{Answer, Call};
use crate::support::database::Database;
use crate::support::process::{Ends, Gateway, wait_for, wait_until};
use crate::support::{ACME, GLOBEX};

const LIMIT: [&str; 4] = ["--rate", "0", "--max-notes", "1000000"];

fn post(gateway: &Gateway, principal: &str, tenant: &str, text: &str) -> Answer {
    let body = json!({ "text": text }).to_string();
    Call::new("POST", "/v1/notes").by(principal).of(tenant).json(&body).send(gateway.address)
}

fn assert_unavailable(answer: &Answer) {
    let kind = answer.problem();
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{answer:?}");
    assert!(["gateway:unavailable", "tenancy:tenant-unavailable"].contains(&&*kind), "{kind}");
    for detail in ["postgres", "database", "socket", "connection", "gateway.notes"] {
        assert!(!answer.body.to_lowercase().contains(detail), "{answer:?}");
    }
}

/// The notes that one writer tried to create, and those that were acknowledged.
#[derive(Default)]
struct Written {
    tried: BTreeSet<String>,
    made: BTreeSet<String>,
    refused: usize,
}

/// Waits until each writer has created some more notes.
fn go_on(made: &[AtomicUsize]) {
    for made in made {
        let wanted = made.load(SeqCst) + 5;
        wait_for(|| (made.load(SeqCst) >= wanted).then_some(())).expect("its work goes on");
    }
}

fn write_until(
    gateway: &Gateway,
    (principal, tenant): (&str, &str),
    ends: &AtomicBool,
    made: &AtomicUsize,
) -> Written {
    let mut written = Written::default();
    while !ends.load(SeqCst) {
        let text = format!("{principal} {}", written.tried.len());
        written.tried.insert(text.clone());
        let answer = post(gateway, principal, tenant, &text);
        if answer.status == 201 {
            written.made.insert(text);
            made.fetch_add(1, SeqCst);
        } else {
            assert_unavailable(&answer);
            written.refused += 1;
        }
    }
    written
}

fn texts(gateway: &Gateway, principal: &str, tenant: &str) -> Vec<String> {
    let (mut texts, mut path) = (Vec::new(), "/v1/notes?limit=200".to_owned());
    loop {
        let page = Call::get(&path).by(principal).of(tenant).send(gateway.address).json();
        let notes = page["notes"].as_array().expect("notes");
        texts.extend(notes.iter().map(|note| note["text"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return texts };
        path = format!("/v1/notes?limit=200&after={next}");
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn acknowledged_writes_survive_a_crash_in_their_tenant() {
    let mut database = Database::on_a_server_of_its_own();
    let gateways = [database.gateway(&LIMIT), database.gateway(&LIMIT)];
    let (ends, made) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 4]);
    let writers = [(0, ("alice", ACME)), (1, ("alice", ACME)), (0, ("bob", GLOBEX)), (1, ("bob", GLOBEX))];
    let written = thread::scope(|scope| {
        let end = Ends(&ends);
        let mut own = made.iter();
        let threads = writers.map(|(at, who)| {
            let (gateway, ends, made) = (&gateways[at], &ends, own.next().expect("one each"));
            scope.spawn(move || write_until(gateway, who, ends, made))
        });
        for _ in 0..2 {
            go_on(&made);
            database.crash_and_restart();
            for (gateway, (principal, tenant)) in gateways.iter().zip([("alice", ACME), ("bob", GLOBEX)]) {
                let list = Call::get("/v1/notes").by(principal).of(tenant);
                wait_for(|| (list.send(gateway.address).status == 200).then_some(())).expect("it is back");
            }
        }
        go_on(&made);
        drop(end);
        threads.map(|thread| thread.join().expect("it ends"))
    });
    assert!(written.iter().any(|written| written.refused > 0), "the outage was felt");
    for (principal, tenant, own) in [("alice", ACME, &written[..2]), ("bob", GLOBEX, &written[2..])] {
        let texts = texts(&gateways[0], principal, tenant);
        for Written { tried, made, .. } in own {
            assert!(made.len() > 10 && made.iter().all(|text| texts.contains(text)), "{principal} lost some");
            assert!(made.is_subset(tried));
        }
        let tried: BTreeSet<_> = own.iter().flat_map(|written| &written.tried).collect();
        assert!(texts.iter().all(|text| tried.contains(text)), "{principal} has what nobody wrote for it");
    }
    let foreign = format!(
        "SELECT count(*)::text FROM gateway.notes WHERE (tenant_id::text, split_part(text, ' ', 1)) \
         NOT IN (('{ACME}', 'alice'), ('{GLOBEX}', 'bob'))"
    );
    assert_eq!(database.ask(&foreign), ["0"]);
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn requests_without_database_get_503_in_time() {
    let database = Database::on_a_server_of_its_own();
    let gateway = database.gateway(&LIMIT);
    let note = post(&gateway, "alice", ACME, "one").json();
    drop(database);
    let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
    // The gateway uses cached tenants until it notices that the listening connection has ended.
    let whoami = Call::get("/v1/whoami").by("alice").of(ACME);
    wait_for(|| (whoami.send(gateway.address).status != 200).then_some(())).expect("it hears of the end");
    for call in ["GET /v1/notes", "GET /v1/whoami", &format!("GET {path}"), &format!("DELETE {path}")] {
        let (method, path) = call.split_once(' ').unwrap();
        assert_unavailable(&Call::new(method, path).by("alice").of(ACME).send(gateway.address));
    }
    assert_unavailable(&post(&gateway, "alice", ACME, "two"));
    assert_eq!(Call::get("/healthz").send(gateway.address).status, 200);
    assert_eq!(Call::get("/v1/notes").by("alice").of(GLOBEX).send(gateway.address).status, 403);
}

const WAITING: &str = "SELECT count(*)::text FROM pg_stat_activity \
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn blocked_tenant_leaves_connections_to_others() {
    let database = Database::migrated();
    let gateway = database.gateway(&LIMIT);
    let own = format!("SELECT pg_advisory_xact_lock(hashtextextended('gateway.notes {ACME}', 0))");
    database.while_in(&own, || {
        thread::scope(|scope| {
            let waiting: [_; 40] =
                std::array::from_fn(|_| scope.spawn(|| post(&gateway, "alice", ACME, "one")));
            // All connections that the tenant may have wait for the lock; in a thread, which has a runtime of its own.
            let is_full = || database.ask(WAITING) == ["4"];
            let full = scope.spawn(move || wait_until(is_full)).join().expect("a count");
            assert!(full, "{:?} connections wait", scope.spawn(|| database.ask(WAITING)).join());
            for number in 0..10 {
                assert_eq!(post(&gateway, "bob", GLOBEX, &number.to_string()).status, 201);
                assert_eq!(texts(&gateway, "bob", GLOBEX).len(), number + 1);
            }
            for thread in waiting {
                assert_unavailable(&thread.join().expect("an answer"));
            }
        });
    });
    assert_eq!(texts(&gateway, "alice", ACME), [""; 0]);
}

/// The server runs, but cannot answer.
#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn locked_table_gives_503_in_time() {
    let database = Database::migrated();
    let gateway = database.gateway(&LIMIT);
    assert_eq!(post(&gateway, "alice", ACME, "one").status, 201);
    database.while_in("LOCK TABLE gateway.notes", || {
        let answers = thread::scope(|scope| {
            let list = || Call::get("/v1/notes").by("bob").of(GLOBEX).send(gateway.address);
            let threads = [scope.spawn(|| post(&gateway, "alice", ACME, "two")), scope.spawn(list)];
            threads.map(|thread| thread.join().expect("an answer"))
        });
        for answer in &answers {
            assert_eq!(answer.problem(), "gateway:unavailable");
            assert_unavailable(answer);
        }
    });
    assert_eq!(texts(&gateway, "alice", ACME), ["one"], "what was given up on was not done");
    assert_eq!(post(&gateway, "alice", ACME, "three").status, 201);
}
