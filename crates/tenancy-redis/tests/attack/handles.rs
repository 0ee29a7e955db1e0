//! Handles that are cloned, renamed, reused and cached.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redis::{AsyncCommands, Commands, Value};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_redis::{RedisPolicy, TenantPubSub, TenantRedis};

use crate::world::{A, B, PREFIX_A, World, words};

/// Every order of commands and builder calls leaves the bytes of an earlier name behind, if anything does.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn handles_of_both_tenants_and_their_namespaces_never_mix() {
    let mut world = World::start();
    let shared = world.multiplexed(3).await;
    let long = "n".repeat(300);
    for _ in 0..2 {
        let mut handles = Vec::new();
        for tenant in [A, B] {
            let plain = TenantRedis::new(shared.clone(), tenant);
            let mut used = plain.clone();
            let () = used.set(&long, "first").await.expect("a reply");
            let space = used.clone().namespace("space");
            let mut used_space = space.clone();
            let () = used_space.set("x", "second").await.expect("a reply");
            let inner = used_space.clone().namespace("inner").policy(RedisPolicy::new());
            handles.push((plain, format!("{tenant} plain")));
            handles.push((space, format!("{tenant} space")));
            handles.push((inner, format!("{tenant} inner")));
            handles.push((used_space.namespace("other"), format!("{tenant} other")));
        }
        for (redis, value) in &mut handles {
            let () = redis.set("name", &*value).await.expect("a reply");
            let () = redis.set(format!("{long}{long}"), &*value).await.expect("a reply");
        }
        for (redis, value) in &mut handles {
            let read: (String, String) =
                redis.mget(&["name", &format!("{long}{long}")]).await.expect("a reply");
            assert_eq!(read, (value.clone(), value.clone()));
        }
        for (redis, _) in &mut handles {
            assert_eq!(redis.del::<_, usize>(&["name", &format!("{long}{long}")]).await.expect("a reply"), 2);
        }
    }
    world.reset();
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn namespaces_have_no_names_that_end_or_widen_the_prefix() {
    let world = World::start();
    let long: &'static str = "n".repeat(33).leak();
    for name in [
        "", "a:b", ":", "*", "a*", "[a]", "?", "\\", "{a}", "a b", "a\0", "a\r\n", "é", "..", "a/b", "%",
        long,
    ] {
        let result = catch_unwind(AssertUnwindSafe(|| drop(TenantRedis::new((), A).namespace(name))));
        assert!(result.is_err(), "{name:?} is accepted");
        let mut connection = world.raw(2);
        let result = catch_unwind(AssertUnwindSafe(|| {
            drop(TenantPubSub::new(connection.as_pubsub(), A).namespace(name));
        }));
        assert!(result.is_err(), "{name:?} is accepted for channels");
    }
    let two = || TenantRedis::new((), A).namespace("a").namespace("b");
    assert!(catch_unwind(AssertUnwindSafe(|| drop(two().namespace("c")))).is_err(), "a third one");
    assert_eq!(two().tenant(), A);
}

/// Tenants whose ids differ in one bit, and the ids with the fewest and the most bits.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn neighbouring_ids_have_separate_keys() {
    let world = World::start();
    let mut ids: Vec<tenancy::TenantId> = Vec::new();
    for bit in 0..128 {
        let flipped = u128::from_be_bytes(*A.as_bytes()) ^ (1 << bit);
        ids.extend(tenancy::TenantId::from_bytes(flipped.to_be_bytes()).ok());
    }
    assert!(ids.len() > 100, "{} ids", ids.len());
    for id in &ids {
        let mut redis = TenantRedis::new(world.raw(2), *id);
        assert_eq!(redis.keys::<_, Vec<String>>("*").expect("keys").len(), 0, "{id}");
        let () = redis.set("k", id.to_string()).expect("a reply");
    }
    for id in &ids {
        let mut redis = TenantRedis::new(world.raw(2), *id);
        assert_eq!(redis.get::<_, String>("k").expect("a reply"), id.to_string());
        assert_eq!(redis.keys::<_, Vec<String>>("*").expect("keys"), ["k"]);
    }
}

/// The tenant of the context is read once: neither a nested scope nor another task changes a handle.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cached_handles_keep_their_tenant_in_a_foreign_context() {
    let world = World::start();
    let shared = world.multiplexed(2).await;
    let mut cached = TenantContext::scope(A, || TenantRedis::current(shared.clone())).expect("a tenant");
    let stolen = cached.clone();
    let task = tokio::spawn(
        async move {
            let mut stolen = stolen;
            let from_clone: String = stolen.get("k").await.expect("a reply");
            let mut namespaced = stolen.namespace("part");
            let () = namespaced.set("k", "part").await.expect("a reply");
            (from_clone, namespaced.tenant())
        }
        .in_tenant(B),
    );
    assert_eq!(task.await.expect("a task"), ("own".to_owned(), A));
    let read = async { cached.get::<_, String>("k").await }.in_tenant(B).await;
    assert_eq!(read.expect("a reply"), "own");
    let mut b = TenantRedis::new(shared, B);
    assert_eq!(b.exists::<_, usize>("part:k").await.expect("a reply"), 0);
}

/// A handle around a handle adds a prefix, and never removes one.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn nested_handles_stay_in_the_inner_tenant() {
    let mut world = World::start();
    let before = world.outside();
    let mut nested = TenantRedis::new(TenantRedis::new(world.raw(2), A), B);
    let () = nested.set("k", "nested").expect("a reply");
    assert_eq!(nested.get::<_, String>("k").expect("a reply"), "nested");
    assert_eq!(nested.keys::<_, Vec<String>>("*").expect("keys"), ["k"]);
    let error = words("FLUSHALL").query::<Value>(&mut nested).expect_err("refused");
    assert!(tenancy_redis::refusal(&error).is_some());
    assert_eq!(world.outside(), before);
    assert!(world.own().keys().any(|(_, key)| key.starts_with(format!("{PREFIX_A}t:0b").as_bytes())));
}
