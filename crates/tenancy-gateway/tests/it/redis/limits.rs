//! A tenant's rate limit applies to all instances together.

use std::time::Instant;

use serde_json::json;

use super::instance::{ask, ask_each, assert_burst, instance};
use crate::support::redis_server::Server;
use crate::support::{ACME, GLOBEX};

const LIMIT: [&str; 4] = ["--rate", "1", "--burst", "20"];
const ACME_BUCKET: &str = "t:550e8400e29b41d4a716446655440000:limit:requests";

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn instances_share_one_burst_per_tenant() {
    let server = Server::start();
    let one = instance(Some(server.shared().await), &LIMIT);
    let other = instance(Some(server.shared().await), &LIMIT);
    let start = Instant::now();
    for tenant in [ACME, GLOBEX] {
        let (passed, refused) = ask_each(&[&one, &other], tenant, 20).await;
        assert_burst(passed, 20, start);
        assert_eq!(refused.map(|answer| answer.status), Some(429));
    }
    // An instance that is started later has no burst of its own.
    let third = instance(Some(server.shared().await), &LIMIT);
    assert_burst(ask_each(&[&third], ACME, 20).await.0, 0, start);
}

/// The responses are equal byte for byte.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn shared_limit_rejects_like_a_local_one() {
    let server = Server::start();
    let (shared, alone) = (instance(Some(server.shared().await), &LIMIT), instance(None, &LIMIT));
    let (_, shared) = ask_each(&[&shared], ACME, 40).await;
    let (_, alone) = ask_each(&[&alone], ACME, 40).await;
    assert_eq!(shared, alone);
    assert_eq!(shared.expect("a refusal").retry_after.as_deref(), Some("1"));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn rate_zero_counts_nothing() {
    let server = Server::start();
    let service = instance(Some(server.shared().await), &["--rate", "0"]);
    assert_eq!(ask_each(&[&service], ACME, 50).await, (50, None));
    assert_eq!(server.ask::<Vec<String>>("KEYS *"), [""; 0]);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn keys_have_the_tenants_prefix_and_expire() {
    let server = Server::start();
    let service = instance(Some(server.shared().await), &LIMIT);
    for tenant in [ACME, GLOBEX] {
        let note = ask(&service, tenant, "POST /v1/notes", r#"{"text":"one"}"#).await.json();
        let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
        assert_eq!(ask(&service, tenant, &format!("GET {path}"), "").await.json(), note);
        let changed = ask(&service, tenant, &format!("PUT {path}"), r#"{"text":"two"}"#).await;
        assert_eq!(changed.json()["text"], json!("two"));
        assert_eq!(ask(&service, tenant, &format!("GET {path}"), "").await, changed);
    }
    // So many requests that the buckets' keys exist for a while.
    for tenant in [ACME, GLOBEX] {
        ask_each(&[&service], tenant, 15).await;
    }
    let keys: Vec<String> = server.ask("KEYS *");
    for tenant in [ACME, GLOBEX] {
        let prefix = format!("t:{}:", tenant.replace('-', ""));
        let mut own: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
        own.sort_unstable();
        assert!(matches!(*own, [note, "limit:requests"] if note.starts_with("cache:notes:")), "{own:?}");
    }
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        let ttl: i64 = server.ask(&format!("PTTL {key}"));
        assert!((1..=60_000).contains(&ttl), "{key}: {ttl}");
    }
}

/// If another program wrote the key, each instance limits the tenant by itself.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn foreign_value_in_the_bucket_key_keeps_the_limit() {
    let server = Server::start();
    let service = instance(Some(server.shared().await), &LIMIT);
    for line in ["HSET", "SET"].map(|command| match command {
        "HSET" => format!("HSET {ACME_BUCKET} field value"),
        _ => format!("SET {ACME_BUCKET} x"),
    }) {
        let () = server.ask(&format!("DEL {ACME_BUCKET}"));
        let () = server.ask(&line);
        let start = Instant::now();
        let (passed, refused) = ask_each(&[&service], ACME, 40).await;
        assert_burst(passed, 20, start);
        assert_eq!(refused.expect("a refusal").status, 429, "{line}");
        // The instance still uses Redis for other tenants.
        let () = server.ask("DEL t:6ba7b8109dad41d180b400c04fd430c8:limit:requests");
        ask_each(&[&service], GLOBEX, 15).await;
        assert_eq!(server.ask::<u8>("EXISTS t:6ba7b8109dad41d180b400c04fd430c8:limit:requests"), 1);
    }
}
