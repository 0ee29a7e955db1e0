//! The cache: keys of two tenants that look the same, and loads that are shared.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_redis::cache::{CacheError, Lookup};
use tenancy_redis::{TenantCache, TenantRedis};
use tokio::sync::Notify;

use crate::world::{A, B, CANARY, PREFIX_B, World};

/// Keys that could end a prefix, or name a namespace or another tenant's entry.
const KEYS: &[&str] = &[
    "user:7",
    "",
    ":",
    "cache:user:7",
    "ns:user:7",
    "*",
    "\r\n",
    "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:cache:user:7",
];

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn entries_of_both_tenants_never_mix() {
    let mut world = World::start();
    let cache = TenantCache::new(world.multiplexed(3).await);
    let space = cache.clone().namespace("ns");
    for key in KEYS {
        for cache in [&cache, &space] {
            async { cache.set(key, "canary-cached").await }.in_tenant(B).await.expect("a reply");
            let before = world.outside();
            let read = async { cache.get::<String>(key).await }.in_tenant(A).await.expect("a reply");
            assert!(!format!("{read:?}").contains(CANARY), "{key}");
            let loaded = async {
                cache.get_or_set(key, || async { Ok::<_, Infallible>(Some("own".to_owned())) }).await
            };
            let loaded = loaded.in_tenant(A).await.expect("a reply");
            assert_eq!(loaded.as_deref(), Some("own"), "{key}");
            async { cache.remove(key).await }.in_tenant(A).await.expect("a reply");
            async { cache.set_negative(key).await }.in_tenant(A).await.expect("a reply");
            async { cache.remove(key).await }.in_tenant(A).await.expect("a reply");
            assert_eq!(names(&world.outside()), names(&before), "{key}");
            let kept = async { cache.get::<String>(key).await }.in_tenant(B).await.expect("a reply");
            assert_eq!(kept.hit().as_deref(), Some("canary-cached"), "{key}");
            async { cache.remove(key).await }.in_tenant(B).await.expect("a reply");
        }
    }
}

fn names(keys: &crate::world::Keys) -> Vec<&Vec<u8>> {
    keys.keys().map(|(_, name)| name).collect()
}

/// Tenant B's load of the same key is running, and tenant A joins, removes and replaces it.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn load_of_one_tenant_is_not_shared_replaced_or_removed_by_another() {
    let world = World::start();
    let cache = TenantCache::new(world.multiplexed(3).await);
    let (started, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (cache, started, end) = (cache.clone(), Arc::clone(&started), Arc::clone(&end));
        tokio::spawn(
            async move {
                let load = || async {
                    started.notify_one();
                    end.notified().await;
                    Ok::<_, Infallible>(Some("canary-loaded".to_owned()))
                };
                cache.get_or_set("user:7", load).await
            }
            .in_tenant(B),
        )
    };
    started.notified().await;
    async {
        let own = cache.get_or_set("user:7", || async { Ok::<_, Infallible>(Some("own".to_owned())) }).await;
        assert_eq!(own.expect("a value").as_deref(), Some("own"));
        cache.remove("user:7").await.expect("a reply");
        cache.set("user:7", "own").await.expect("a reply");
        assert_eq!(cache.get::<String>("user:7").await.expect("a reply").hit().as_deref(), Some("own"));
    }
    .in_tenant(A)
    .await;
    end.notify_one();
    let loaded = slow.await.expect("a task").expect("a value");
    assert_eq!(loaded.as_deref(), Some("canary-loaded"));
    let kept = async { cache.get::<String>("user:7").await }.in_tenant(B).await.expect("a reply");
    assert_eq!(kept.hit().as_deref(), Some("canary-loaded"), "the removal of tenant A removed it");
}

/// The loader is cancelled, panics, or fails with a text of one tenant; nobody else gets it.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn failed_loads_of_one_tenant_do_not_reach_another() {
    let world = World::start();
    let cache = TenantCache::new(world.multiplexed(3).await);
    let fails =
        cache.get_or_set("k", || async { Err::<Option<String>, _>(std::io::Error::other("canary-error")) });
    // The call was made without a tenant, so its future has none either, wherever it is polled.
    assert!(matches!(fails.in_tenant(A).await, Err(CacheError::NoTenant(_))));
    let fails = TenantContext::scope(B, || {
        cache.get_or_set("k", || async { Err::<Option<String>, _>(std::io::Error::other("canary-error")) })
    });
    let own = TenantContext::scope(A, || {
        cache.get_or_set("k", || async { Ok::<_, std::io::Error>(Some("own".to_owned())) })
    });
    let (failed, own) = tokio::join!(fails, own);
    assert!(matches!(failed, Err(CacheError::Load(_))));
    assert_eq!(own.expect("a value").as_deref(), Some("own"));
    let abandoned = TenantContext::scope(B, || {
        cache.get_or_set("other", || async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok::<_, Infallible>(Some("canary".to_owned()))
        })
    });
    assert!(tokio::time::timeout(Duration::from_millis(50), abandoned).await.is_err());
    let own = TenantContext::scope(A, || {
        cache.get_or_set("other", || async { Ok::<_, Infallible>(Some("own".to_owned())) })
    });
    assert_eq!(own.await.expect("a value").as_deref(), Some("own"));
}

/// The tenant is that of the call, and the loader runs in it, wherever the future is polled.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn call_of_one_tenant_polled_in_another_stays_with_the_first() {
    let mut world = World::start();
    let cache = TenantCache::new(world.multiplexed(2).await);
    let before = world.outside();
    let call = TenantContext::scope(A, || {
        cache.get_or_set("k", || async {
            Ok::<_, Infallible>(TenantContext::get_optional().map(|tenant| tenant.to_string()))
        })
    });
    let loaded = call.in_tenant(B).await.expect("a value");
    assert_eq!(loaded, Some(A.to_string()));
    assert_eq!(world.outside(), before);
    let debug = format!("{cache:?}");
    assert!(!debug.contains("0a0a") && !debug.contains("k\""), "{debug}");
}

/// What tenant A writes at its own cache keys by another way is read as a miss or as its own value.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn forged_entries_are_misses_or_own_values() {
    let world = World::start();
    let shared = world.multiplexed(3).await;
    let cache = TenantCache::new(shared.clone());
    let mut a = TenantRedis::new(shared, A);
    for bytes in [&b""[..], b"\0", b"j", b"jnull", b"\"own\"", b"{", b"\xff\xff\xff\xff", PREFIX_B.as_bytes()]
    {
        let () = a.set("cache:k", bytes).await.expect("a reply");
        let read = async { cache.get::<String>("k").await }.in_tenant(A).await.expect("a reply");
        assert!(!matches!(&read, Lookup::Hit(value) if value != "own" && value != "null"), "{read:?}");
        let loaded =
            async { cache.get_or_set("k", || async { Ok::<_, Infallible>(Some("own".to_owned())) }).await };
        let loaded = loaded.in_tenant(A).await.expect("a value");
        assert!(loaded.is_none() || loaded.as_deref() == Some("own"), "{loaded:?}");
        let () = a.del("cache:k").await.expect("a reply");
    }
    let () = a.lpush("cache:list", 1).await.expect("a reply");
    let read = async { cache.get::<String>("list").await }.in_tenant(A).await;
    assert!(matches!(read, Ok(Lookup::Miss) | Err(_)), "{read:?}");
}
