//! Values of the cache, their tenants, and failures of Redis.

use std::collections::HashMap;
use std::time::Duration;

use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt};
use tenancy_redis::cache::{CacheError, Lookup};
use tenancy_redis::{Refusal, TenantCache};

use super::memory::{Memory, within};
use super::{Cache, Source, answer, ask, cache, key, loaded, settle};
use crate::support::{A, B, PREFIX_A, PREFIX_B};

#[tokio::test]
async fn hit_sends_one_command_and_miss_sends_two() {
    let ((memory, cache), source) = (cache(), Source::new());
    for _ in 0..2 {
        assert_eq!(loaded(ask(&cache, A, &source, 7)).await, Some(7));
    }
    let key = key();
    assert_eq!(memory.log(), [format!("GET {key}"), format!("SET {key} PX 300000"), format!("GET {key}")]);
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn caches_absence_as_neither_a_miss_nor_null() {
    let ((memory, cache), source) = (cache(), Source::new());
    let get = || TenantContext::scope(A, || cache.get::<Option<u8>>("k"));
    assert_eq!(get().await.expect("a reply"), Lookup::Miss);
    for _ in 0..2 {
        assert_eq!(loaded(ask::<String>(&cache, A, &source, None)).await, None);
    }
    assert_eq!(source.loads(), 1);
    assert!(memory.log().contains(&format!("SET {PREFIX_A}cache:k PX 10000")), "{:?}", memory.log());
    assert_eq!(get().await.expect("a reply"), Lookup::Negative);
    TenantContext::scope(A, || cache.set("k", &None::<u8>)).await.expect("set");
    assert_eq!(get().await.expect("a reply"), Lookup::Hit(None));
    TenantContext::scope(A, || cache.set_negative("k")).await.expect("set");
    assert_eq!(get().await.expect("a reply"), Lookup::Negative);
    TenantContext::scope(A, || cache.remove("k")).await.expect("removed");
    assert_eq!(get().await.expect("a reply"), Lookup::Miss);
}

#[tokio::test]
async fn uses_the_tenant_of_the_call_not_of_the_poll() {
    let ((memory, cache), source) = (cache(), Source::new());
    let loads = || source.load::<_, String>(Ok(Some(7)));
    let nobodys = (
        cache.get_or_set("k", loads),
        cache.get::<u8>("k"),
        cache.set("k", &7),
        cache.set_negative("k"),
        cache.remove("k"),
    );
    let nobody = |error| matches!(error, CacheError::NoTenant(TenantContextNotSetError));
    assert!(matches!(nobodys.0.in_tenant(B).await, Err(CacheError::NoTenant(_))));
    assert!(nobodys.1.in_tenant(B).await.is_err_and(nobody));
    for write in [nobodys.2.in_tenant(B).await, nobodys.3.in_tenant(B).await, nobodys.4.in_tenant(B).await] {
        assert!(write.is_err_and(nobody));
    }
    assert_eq!((memory.log().len(), source.loads()), (0, 0));
    let of_a = TenantContext::scope(A, || cache.get_or_set("k", loads));
    assert_eq!(of_a.in_tenant(B).await.expect("loaded"), Some(7));
    assert!(memory.log().iter().all(|line| line.contains(PREFIX_A)), "{:?}", memory.log());
}

/// The task may change its tenant while Redis answers; the loader must not load for the new tenant.
#[tokio::test]
async fn loader_runs_in_the_tenant_of_the_call_and_in_the_callers_task() {
    let (_, cache) = cache();
    let task = tokio::spawn(async move {
        TenantContext::set(A);
        let load = || {
            let called = TenantContext::get();
            async move {
                settle().await;
                let seen = (called, TenantContext::get());
                Ok::<_, String>(Some((seen == (Ok(A), Ok(A)), tokio::task::id().to_string())))
            }
        };
        let (loaded, ()) = tokio::join!(cache.get_or_set("k", load), async { TenantContext::set(B) });
        assert_eq!(TenantContext::get(), Ok(B));
        (loaded.expect("loaded").expect("some"), tokio::task::id().to_string())
    });
    let ((is_of_a, loaders), callers) = answer(task).await;
    assert!(is_of_a, "the loader is called and polled in A");
    assert_eq!(loaders, callers);
}

#[tokio::test]
async fn never_returns_the_value_of_another_tenant() {
    let ((memory, cache), source) = (cache(), Source::new());
    TenantContext::scope(B, || cache.set("k", "secret")).await.expect("set");
    let get = |key: String| {
        let cache = &cache;
        async move { TenantContext::scope(A, || cache.get::<String>(&key)).await.expect("a reply") }
    };
    assert_eq!(get("k".into()).await, Lookup::Miss);
    assert_eq!(get(format!("{PREFIX_B}cache:k")).await, Lookup::Miss);
    assert_eq!(loaded(ask(&cache, A, &source, String::new())).await, Some(String::new()));
    assert_eq!(memory.entry(&format!("{PREFIX_B}cache:k")), Some(b"j\"secret\"".to_vec()));
}

#[tokio::test]
async fn loads_and_counts_a_failure_if_redis_fails() {
    let ((memory, cache), source) = (cache(), Source::new());
    memory.fail(true);
    for load in 1..=2 {
        assert_eq!(loaded(ask(&cache, A, &source, 7)).await, Some(7));
        assert_eq!((source.loads(), cache.failures()), (load, load as u64));
    }
    assert_eq!(memory.sent("SET"), 0, "it does not answer");
    let get = || TenantContext::scope(A, || cache.get::<u8>("k"));
    assert_eq!(get().await.expect("a miss"), Lookup::Miss);
    // Writes return the error, because the old value may still be stored.
    let removed = TenantContext::scope(A, || cache.remove("k")).await;
    assert!(matches!(removed, Err(CacheError::Redis(_))), "{removed:?}");
    let set = TenantContext::scope(A, || cache.set("k", &8)).await;
    assert!(matches!(set, Err(CacheError::Redis(_))), "{set:?}");
    assert_eq!(cache.failures(), 5);
    memory.fail(false);
    assert_eq!(get().await.expect("a reply"), Lookup::Miss);
    assert_eq!(cache.failures(), 5);
}

#[tokio::test]
async fn returns_the_loaded_value_if_storing_fails() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let asked = ask(&cache, A, &source, 7);
    source.began().await;
    memory.fail(true);
    source.release(1);
    assert_eq!(loaded(asked).await, Some(7));
    assert_eq!(cache.failures(), 1);
}

#[tokio::test]
async fn timeout_counts_as_a_failure() {
    let ((memory, cache), source) = (cache(), Source::new());
    let cache = cache.timeout(Duration::from_millis(10));
    memory.hang();
    assert_eq!(loaded(ask(&cache, A, &source, 7)).await, Some(7));
    let removed = within(TenantContext::scope(A, || cache.remove("k"))).await;
    assert!(matches!(removed, Err(CacheError::Redis(error)) if error.is_timeout()));
    assert_eq!(cache.failures(), 2);
}

#[tokio::test]
async fn refused_command_is_an_error_for_every_caller() {
    let ((memory, cache), source) = (cache(), Source::new());
    memory.refuse();
    let tasks = [(); 3].map(|()| ask(&cache, A, &source, 7));
    for task in tasks {
        assert!(matches!(answer(task).await, Err(CacheError::Refused(Refusal::Reply))));
    }
    let got = TenantContext::scope(A, || cache.get::<u8>("k")).await;
    assert!(matches!(got, Err(CacheError::Refused(Refusal::Reply))), "{got:?}");
    let removed = TenantContext::scope(A, || cache.remove("k")).await;
    assert!(matches!(removed, Err(CacheError::Refused(Refusal::Reply))), "{removed:?}");
    assert_eq!((source.loads(), cache.failures()), (0, 0));
}

#[tokio::test]
async fn refused_store_is_an_error() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let asked = ask(&cache, A, &source, 7);
    source.began().await;
    memory.refuse();
    source.release(1);
    assert!(matches!(answer(asked).await, Err(CacheError::Refused(Refusal::Reply))));
}

#[tokio::test]
async fn unreadable_entry_is_a_miss_and_is_overwritten() {
    let ((memory, cache), source) = (cache(), Source::new());
    let key = key();
    for entry in [&b""[..], b"7", b"j", b"j\"seven\"", b"p\x07", b"-7", b"\xff\xff"] {
        memory.put(&key, entry);
        let got = TenantContext::scope(A, || cache.get::<u8>("k")).await;
        assert_eq!(got.expect("a reply"), Lookup::Miss);
        assert_eq!(loaded(ask(&cache, A, &source, 7)).await, Some(7));
        assert_eq!(memory.entry(&key), Some(b"j7".to_vec()), "{}", entry.escape_ascii());
    }
}

#[tokio::test]
async fn unencodable_value_is_an_error_for_every_caller() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    // JSON objects have text keys.
    let odd = || HashMap::from([((1, 2), 3)]);
    let tasks = [(); 2].map(|()| ask(&cache, A, &source, odd()));
    source.began().await;
    settle().await;
    source.release(1);
    for task in tasks {
        assert!(matches!(answer(task).await, Err(CacheError::Encode(_))));
    }
    let set = TenantContext::scope(A, || cache.set("k", &odd())).await;
    assert!(matches!(set, Err(CacheError::Encode(_))), "{set:?}");
    assert_eq!((source.loads(), memory.sent("SET"), memory.sent("UNLINK")), (1, 0, 0));
}

#[tokio::test]
async fn namespaces_are_separate_and_clones_share_entries() {
    let (memory, cache) = cache();
    let users = cache.clone().namespace("users");
    TenantContext::scope(A, || users.set("k", &7)).await.expect("set");
    assert_eq!(memory.entry(&format!("{PREFIX_A}cache:users:k")), Some(b"j7".to_vec()));
    let get = |cache: Cache| async move {
        TenantContext::scope(A, || cache.get::<u8>("k")).await.expect("a reply")
    };
    assert_eq!(get(cache.clone()).await, Lookup::Miss);
    assert_eq!(get(users.clone()).await, Lookup::Hit(7));
    memory.fail(true);
    get(users.clone()).await;
    assert_eq!((users.failures(), cache.failures()), (1, 0));
    // Neither call waits for the load of the other namespace.
    let source = Source::held_back();
    let tasks = [ask(&users, A, &source, 1), ask(&cache, A, &source, 2)];
    source.began().await;
    source.began().await;
    source.release(2);
    for (task, value) in tasks.into_iter().zip([1, 2]) {
        assert_eq!(loaded(task).await, Some(value));
    }
}

#[cfg(feature = "postcard")]
#[tokio::test]
async fn entry_of_another_codec_is_a_miss() {
    use tenancy_redis::cache::Postcard;

    let (memory, json) = cache();
    let postcard = json.clone().codec(Postcard);
    let (key, value) = (key(), vec![(7_u32, "seven".to_owned())]);
    let load = async || Ok::<_, String>(Some(value.clone()));
    for _ in 0..2 {
        let got = TenantContext::scope(A, || postcard.get_or_set("k", load)).await.expect("loaded");
        assert_eq!(got.as_ref(), Some(&value));
        assert_eq!(memory.entry(&key), Some(b"p\x01\x07\x05seven".to_vec()));
    }
    let got = TenantContext::scope(A, || json.get::<Vec<(u32, String)>>("k")).await;
    assert_eq!(got.expect("a reply"), Lookup::Miss);
    memory.put(&key, b"p\x01\x07\x05seven!");
    let got = TenantContext::scope(A, || postcard.get::<Vec<(u32, String)>>("k")).await;
    assert_eq!(got.expect("a reply"), Lookup::Miss, "more than the value");
}

#[test]
fn rejects_invalid_jitter_and_namespaces() {
    for jitter in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let made = std::panic::catch_unwind(|| TenantCache::new(()).jitter(jitter));
        assert!(made.is_err(), "{jitter}");
    }
    let made = std::panic::catch_unwind(|| TenantCache::new(()).namespace("a:b"));
    assert!(made.is_err());
    let _ = TenantCache::new(()).jitter(0.0).jitter(1.0).namespace("a").namespace("b");
}

#[tokio::test]
async fn debug_shows_neither_the_connection_nor_a_key() {
    let cache = TenantCache::new("redis://:password@host").namespace("users");
    assert_eq!(
        format!("{cache:?}"),
        "TenantCache { namespace: Some(\"users\"), lifetime: Lifetime { ttl: 300s, jitter: 0.0 }, \
         negative: Lifetime { ttl: 10s, jitter: 0.0 }, loading: 0, failures: 0, .. }"
    );
    let (_, cache) = super::cache();
    let source = Source::held_back();
    let asked = ask(&cache, A, &source, "secret".to_owned());
    source.began().await;
    let shown = format!("{cache:?}");
    assert!(shown.contains("loading: 1") && !shown.contains("k\""), "{shown}");
    source.release(1);
    loaded(asked).await;
}

/// Handlers need futures that are `Send`, with closures and with async closures.
#[test]
fn futures_are_send() {
    fn check(future: impl Future + Send) {
        drop(future);
    }
    let cache = TenantCache::new(Memory::default());
    let user = "user".to_owned();
    check(cache.get_or_set("k", || async { Ok::<_, String>(Some(7)) }));
    check(cache.get_or_set("k", async || Ok::<_, String>(Some(user.clone()))));
    check(cache.get_or_set(&user, async move || Ok::<_, std::io::Error>(Some(7))));
    check(cache.get::<String>("k"));
    check(cache.set("k", "text"));
    check(cache.set("k", &[7][..]));
    check(cache.remove("k"));
}
