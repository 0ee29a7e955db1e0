//! Removal and counting of a tenant's keys beside names that look like them.

use redis::Commands;
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::world::{A, B, PREFIX_A, PREFIX_B, World};

/// Names that begin like the prefix of tenant A, contain it, or could match it as a pattern.
fn look_alikes() -> Vec<Vec<u8>> {
    let bare = PREFIX_A.trim_end_matches(':');
    let names = [
        bare.to_owned(),
        format!("{bare};"),
        format!("{bare}0:k"),
        format!("{bare} :k"),
        format!("{bare}\0:k"),
        PREFIX_A.to_uppercase(),
        PREFIX_A.replace("0a", "0A"),
        format!("t:{}", "*".repeat(32)),
        format!("t:{}:k", "?".repeat(32)),
        "t:[0a]*:k".to_owned(),
        format!("\\{PREFIX_A}k"),
        format!(" {PREFIX_A}k"),
        format!("{{{PREFIX_A}}}k"),
        format!("{PREFIX_B}{PREFIX_A}k"),
        "t:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a:k".to_owned(),
        "T:*".to_owned(),
        "*".to_owned(),
        String::new(),
    ];
    names.into_iter().map(String::into_bytes).chain([vec![0xff], vec![0]]).collect()
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_removes_no_key_that_looks_like_an_own_one() {
    for resp in [2, 3] {
        let mut world = World::start();
        let mut raw = world.raw(2);
        for name in look_alikes() {
            let () = raw.set(name, "canary").expect("a key");
        }
        for name in ["", ":", "*", "[", "\\", "\r\n", PREFIX_A, PREFIX_B] {
            let () = TenantRedis::new(world.raw(2), A).set(name, "own").expect("a key");
        }
        let (before, own) = (world.outside(), world.own().len());
        let mut a = TenantRedis::new(world.multiplexed(resp).await, A);
        assert_eq!(a.usage().await.expect("a count").keys(), own as u64);
        assert_eq!(a.flush_tenant().await.expect("a report").keys(), own as u64);
        assert_eq!(world.own().len(), 0);
        assert_eq!(world.outside(), before);
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_of_a_namespace_removes_no_other_key_of_the_tenant() {
    let mut world = World::start();
    let shared = world.multiplexed(3).await;
    let mut raw = world.raw(2);
    let kept =
        ["part", "part-", "parts:k", "PART:k", "part.k", "apart:k", "part\0:k", "*:k", ":part:k", "pa*:k"];
    for name in kept {
        let () = raw.set(format!("{PREFIX_A}{name}"), "kept").expect("a key");
    }
    for name in ["part:", "part:k", "part:inner:k", "part:part:k"] {
        let () = raw.set(format!("{PREFIX_A}{name}"), "removed").expect("a key");
        let () = raw.set(format!("{PREFIX_B}{name}"), "canary").expect("a key");
    }
    let (before, own) = (world.outside(), world.own().len());
    let inner = TenantRedis::new(shared.clone(), A).namespace("part").namespace("inner");
    assert_eq!(inner.clone().usage().await.expect("a count").keys(), 1);
    let mut part = TenantRedis::new(shared, A).namespace("part");
    assert_eq!(part.flush_tenant().await.expect("a report").keys(), 4);
    assert_eq!(world.own().len(), own - 4);
    assert_eq!(world.outside(), before);
}

/// A handle around a handle could walk through the wrong names.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_of_a_nested_handle_removes_nothing_of_the_named_tenant() {
    let mut world = World::start();
    let before = world.outside();
    let inner = TenantRedis::new(world.multiplexed(2).await, A);
    let mut nested = TenantRedis::new(inner, B);
    // It may fail or remove keys of the inner tenant's part. It must not reach the keys of tenant B.
    let _ = nested.flush_tenant().await;
    let _ = nested.usage().await;
    assert_eq!(world.outside(), before);
    assert!(!world.own().is_empty());
}

/// The server of a database that was selected before is flushed there only.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_stays_in_the_selected_database() {
    let mut world = World::start();
    let url = format!("{}?db=1", world.server.url());
    let client = redis::Client::open(url).expect("a valid URL");
    let mut other = TenantRedis::new(client.get_connection().expect("a connection"), A);
    let () = other.set("k", "other").expect("a key");
    let mut elsewhere = TenantRedis::new(client.get_connection().expect("a connection"), B);
    let () = elsewhere.set("k", "canary").expect("a key");
    let before = world.outside();
    let own = world.own().len();
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut a = TenantRedis::new(connection, A);
    assert_eq!(a.flush_tenant().await.expect("a report").keys(), 1);
    assert_eq!(world.own().len(), own - 1);
    assert_eq!(world.outside(), before);
    let error = redis::cmd("SWAPDB").arg(0).arg(1).exec(&mut other).expect_err("refused");
    assert_eq!(refusal(&error), Some(Refusal::AdminCommand));
}
