//! The cache on a redis-server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_redis::TenantCache;
use tenancy_redis::cache::{CacheError, Codec, Lookup};

use super::Source;
use super::memory::within;
use crate::support::aio::{PATIENCE, managed, multiplexed};
use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask};

#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
struct User {
    name: String,
    logins: Vec<u64>,
}

fn user(name: &str) -> User {
    User { name: name.into(), logins: vec![1, u64::MAX] }
}

async fn cache(server: &Server, resp: u8) -> TenantCache<MultiplexedConnection> {
    let connection = multiplexed(&server.client(resp)).await.expect("a connection");
    TenantCache::new(connection).timeout(PATIENCE)
}

async fn load<K: Codec>(
    cache: &TenantCache<MultiplexedConnection, K>,
    tenant: TenantId,
    source: &Source,
    value: Option<User>,
) -> Option<User> {
    let asks = || cache.get_or_set("k", || source.load::<_, String>(Ok(value)));
    within(TenantContext::scope(tenant, asks)).await.expect("loaded")
}

async fn values<K: Codec>(server: &Server, cache: impl AsyncFn() -> TenantCache<MultiplexedConnection, K>) {
    let (one, source) = (cache().await, Source::new());
    let get = || TenantContext::scope(A, || one.get::<User>("k"));
    assert_eq!(get().await.expect("a reply"), Lookup::Miss);
    assert_eq!(load(&one, A, &source, Some(user("a"))).await, Some(user("a")));
    assert_eq!(load(&one, B, &source, Some(user("b"))).await, Some(user("b")));
    assert_eq!(source.loads(), 2);
    // A second cache, as another process would have it.
    let other = cache().await;
    assert_eq!(load(&other, A, &source, None).await, Some(user("a")));
    assert_eq!(load(&other, B, &source, None).await, Some(user("b")));
    assert_eq!(source.loads(), 2);
    assert_eq!(get().await.expect("a reply"), Lookup::Hit(user("a")));
    TenantContext::scope(A, || other.remove("k")).await.expect("removed");
    assert_eq!(get().await.expect("a reply"), Lookup::Miss);
    assert_eq!(load(&one, A, &source, None).await, None);
    assert_eq!(get().await.expect("a reply"), Lookup::Negative);
    let keys = [PREFIX_A, PREFIX_B].map(|prefix| format!("{prefix}cache:k").into_bytes());
    assert_eq!(server.keys(), keys);
    TenantContext::scope(A, || one.set("k", &user("set"))).await.expect("set");
    assert_eq!(load(&other, A, &source, None).await, Some(user("set")));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn two_tenants_values_are_shared_by_two_processes() {
    for resp in [2, 3] {
        let server = Server::start();
        values(&server, async || cache(&server, resp).await).await;
    }
}

#[cfg(feature = "postcard")]
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn two_tenants_values_are_shared_as_postcard() {
    use tenancy_redis::cache::Postcard;

    let server = Server::start();
    values(&server, async || cache(&server, 3).await.codec(Postcard)).await;
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn expiry_is_within_the_jitter() {
    let server = Server::start();
    let cache = cache(&server, 3)
        .await
        .ttl(Duration::from_secs(1000))
        .negative_ttl(Duration::from_secs(100))
        .jitter(0.1);
    let mut seen = Vec::new();
    for number in 0..20 {
        let (value, least, most) = if number % 2 == 0 { (Some(7), 900, 1000) } else { (None, 90, 100) };
        let key = format!("k{number}");
        let load = async || Ok::<_, String>(value);
        let begun = Instant::now();
        TenantContext::scope(A, || cache.get_or_set(&key, load)).await.expect("loaded");
        let left: i64 = ask(&mut server.raw(), &format!("PTTL {PREFIX_A}cache:{key}"));
        // The time that the test took, and a millisecond for each clock, which counts whole milliseconds.
        let taken = i64::try_from(begun.elapsed().as_millis()).expect("not long") + 2;
        assert!((least * 1000 - taken..=most * 1000).contains(&left), "{number}: {left} ms");
        seen.push(left / 10);
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 5, "all the same: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn concurrent_calls_share_one_load() {
    let server = Server::start();
    let (cache, source) = (cache(&server, 3).await, Source::held_back());
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (cache, source) = (cache.clone(), source.clone());
            tokio::spawn(async move { load(&cache, A, &source, Some(user("a"))).await })
        })
        .collect();
    source.began().await;
    source.release(200);
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Some(user("a")));
    }
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn value_removed_during_its_load_is_not_stored() {
    let server = Server::start();
    let (cache, source) = (cache(&server, 3).await, Source::held_back());
    let before = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { load(&cache, A, &source, Some(user("old"))).await })
    };
    source.began().await;
    TenantContext::scope(A, || cache.remove("k")).await.expect("removed");
    source.release(1);
    assert_eq!(within(before).await.expect("no panic"), Some(user("old")));
    assert!(server.keys().is_empty());
}

/// 500 loads are removed, and some cancelled, at different points in time. A value that is left must be newer than the
/// removal. The sleeps choose the points: they wait for no state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn no_load_undoes_a_removal() {
    let server = Server::start();
    let cache = cache(&server, 3).await;
    for round in 0..500_u64 {
        let is_removed = Arc::new(AtomicBool::new(false));
        let loads = {
            let (cache, is_removed) = (cache.clone(), Arc::clone(&is_removed));
            let load = async move || {
                // On a busy machine the load may begin after the removal; then its value may stay.
                let value = if is_removed.load(Ordering::SeqCst) { "new" } else { "old" };
                tokio::time::sleep(Duration::from_micros(round % 50)).await;
                Ok::<_, String>(Some(value.to_owned()))
            };
            tokio::spawn(async move { cache.get_or_set("k", load).await }.in_tenant(A))
        };
        tokio::time::sleep(Duration::from_micros(round * 7 % 400)).await;
        if round % 3 == 0 {
            loads.abort();
        }
        is_removed.store(true, Ordering::SeqCst);
        within(TenantContext::scope(A, || cache.remove("k"))).await.expect("removed");
        let _ = within(loads).await;
        let left = TenantContext::scope(A, || cache.get::<String>("k")).await.expect("a reply");
        assert_ne!(left.hit(), Some("old".to_owned()), "round {round}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn entry_of_another_type_is_loaded_again() {
    let server = Server::start();
    let (cache, source) = (cache(&server, 3).await, Source::new());
    let key = format!("{PREFIX_A}cache:k");
    TenantContext::scope(A, || cache.set("k", &("a", 1))).await.expect("set");
    assert_eq!(load(&cache, A, &source, Some(user("a"))).await, Some(user("a")));
    assert_eq!(load(&cache, A, &source, None).await, Some(user("a")));
    let _: Value = ask(&mut server.raw(), &format!("DEL {key}"));
    let _: Value = ask(&mut server.raw(), &format!("HSET {key} f v"));
    assert_eq!(load(&cache, A, &source, Some(user("b"))).await, Some(user("b")), "no string");
    assert_eq!(load(&cache, A, &source, None).await, Some(user("b")));
    assert_eq!((source.loads(), cache.failures()), (2, 0));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn loads_without_redis_and_counts_failures() {
    let server = Server::start();
    let (cache, source) = (cache(&server, 3).await, Source::new());
    // A connection that reconnects makes its callers wait.
    let reconnects = managed(server.client(3)).await.expect("a connection");
    let patient = TenantCache::new(reconnects).timeout(Duration::from_millis(100));
    assert_eq!(load(&cache, A, &source, Some(user("a"))).await, Some(user("a")));
    drop(server);
    for round in 1..=3 {
        assert_eq!(load(&cache, A, &source, Some(user("b"))).await, Some(user("b")));
        let load = || source.load::<_, String>(Ok(Some(user("c"))));
        let loaded = within(TenantContext::scope(A, || patient.get_or_set("k", load))).await;
        assert_eq!(loaded.expect("loaded"), Some(user("c")));
        assert_eq!((cache.failures(), patient.failures()), (round, round));
    }
    let removed = TenantContext::scope(A, || cache.remove("k")).await;
    assert!(matches!(removed, Err(CacheError::Redis(_))), "{removed:?}");
}
