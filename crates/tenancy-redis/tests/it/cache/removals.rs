//! A value that is removed while it is read, loaded or stored does not come back.

use tenancy::{TenantContext, TenantFutureExt};
use tokio::task::JoinHandle;

use super::memory::{Part, within};
use super::{Cache, Source, answer, ask, cache, key, loaded, settle};
use crate::support::{A, B};

fn remove(cache: &Cache) -> JoinHandle<()> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.remove("k").await.expect("removed") }.in_tenant(A))
}

#[tokio::test]
async fn load_begun_before_a_removal_is_not_stored_or_shared_after_it() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let before = ask(&cache, A, &source, "old".to_owned());
    source.began().await;
    answer(remove(&cache)).await;
    let after = ask(&cache, A, &source, "new".to_owned());
    source.began().await;
    source.release(2);
    assert_eq!(loaded(before).await, Some("old".into()));
    assert_eq!(loaded(after).await, Some("new".into()));
    assert_eq!(memory.entry(&key()), Some(b"j\"new\"".to_vec()));
    assert_eq!(memory.sent("SET"), 1);
}

#[tokio::test]
async fn removal_does_not_affect_other_tenants_or_keys() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let a = ask(&cache, A, &source, "a".to_owned());
    source.began().await;
    within(TenantContext::scope(B, || cache.remove("k"))).await.expect("removed");
    within(TenantContext::scope(A, || cache.remove("other"))).await.expect("removed");
    source.release(1);
    assert_eq!(loaded(a).await, Some("a".into()));
    assert!(memory.entry(&key()).is_some());
}

/// `UNLINK` must not overtake a `SET` in flight.
#[tokio::test]
async fn removal_waits_for_a_store_in_flight() {
    let ((memory, cache), source) = (cache(), Source::new());
    let set = memory.hold("SET", Part::Command);
    let old = ask(&cache, A, &source, "old".to_owned());
    set.came().await;
    let removed = remove(&cache);
    settle().await;
    assert_eq!(memory.sent("UNLINK"), 0);
    set.release();
    answer(removed).await;
    assert_eq!(loaded(old).await, Some("old".into()));
    assert_eq!(memory.entry(&key()), None);
}

/// The first removal is cancelled while it waits. The second one must not overtake `SET` either, and a call in the
/// meantime must wait.
#[tokio::test]
async fn second_removal_waits_for_the_store_if_the_first_is_cancelled() {
    let ((memory, cache), source) = (cache(), Source::new());
    let set = memory.hold("SET", Part::Command);
    let old = ask(&cache, A, &source, "old".to_owned());
    set.came().await;
    let (first, second) = (remove(&cache), remove(&cache));
    settle().await;
    first.abort();
    let after = ask(&cache, A, &source, "new".to_owned());
    settle().await;
    assert_eq!((memory.sent("UNLINK"), memory.sent("GET"), after.is_finished()), (0, 1, false));
    set.release();
    answer(second).await;
    assert_eq!(memory.sent("UNLINK"), 1);
    assert_eq!(loaded(old).await, Some("old".into()));
    // This call began during the removal, so it may return either value.
    loaded(after).await;
    assert_eq!(loaded(ask(&cache, A, &source, "new".to_owned())).await, Some("new".into()));
}

#[tokio::test]
async fn removal_does_not_wait_for_a_cancelled_store() {
    let ((memory, cache), source) = (cache(), Source::new());
    let set = memory.hold("SET", Part::Command);
    let old = ask(&cache, A, &source, "old".to_owned());
    set.came().await;
    let removed = remove(&cache);
    settle().await;
    old.abort();
    answer(removed).await;
    assert_eq!(memory.entry(&key()), None);
}

#[tokio::test]
async fn value_read_before_a_removal_is_not_returned_after_it() {
    let ((memory, cache), source) = (cache(), Source::new());
    memory.put(&key(), b"j\"old\"");
    let get = memory.hold("GET", Part::Reply);
    let before = ask(&cache, A, &source, "new".to_owned());
    get.came().await;
    answer(remove(&cache)).await;
    assert_eq!(loaded(ask(&cache, A, &source, "new".to_owned())).await, Some("new".into()));
    get.release();
    assert_eq!(loaded(before).await, Some("old".into()));
    assert_eq!(memory.entry(&key()), Some(b"j\"new\"".to_vec()));
}

/// A read that begins during the removal may return the old value, but only to calls that began before its end.
#[tokio::test]
async fn value_read_during_a_removal_is_not_returned_after_it() {
    let ((memory, cache), source) = (cache(), Source::new());
    memory.put(&key(), b"j\"old\"");
    let (get, unlink) = (memory.hold("GET", Part::Reply), memory.hold("UNLINK", Part::Command));
    let removed = remove(&cache);
    unlink.came().await;
    let during = ask(&cache, A, &source, "new".to_owned());
    get.came().await;
    unlink.release();
    answer(removed).await;
    assert_eq!(loaded(ask(&cache, A, &source, "new".to_owned())).await, Some("new".into()));
    get.release();
    assert_eq!(loaded(during).await, Some("old".into()));
}

#[tokio::test]
async fn set_is_not_overwritten_by_an_earlier_load() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let before = ask(&cache, A, &source, "old".to_owned());
    source.began().await;
    within(TenantContext::scope(A, || cache.set("k", "new"))).await.expect("set");
    source.release(1);
    assert_eq!(loaded(before).await, Some("old".into()));
    assert_eq!(memory.entry(&key()), Some(b"j\"new\"".to_vec()));
    assert_eq!(loaded(ask(&cache, A, &source, "newer".to_owned())).await, Some("new".into()));
}

#[tokio::test]
async fn oversized_value_is_returned_and_removes_the_entry() {
    let ((memory, cache), source) = (cache(), Source::new());
    let cache = cache.max_value_len(4);
    within(TenantContext::scope(A, || cache.set("k", &123))).await.expect("set");
    assert_eq!(memory.entry(&key()), Some(b"j123".to_vec()));
    within(TenantContext::scope(A, || cache.set("k", &1234))).await.expect("removed");
    assert_eq!(memory.entry(&key()), None);
    assert_eq!(loaded(ask(&cache, A, &source, 1234)).await, Some(1234));
    assert_eq!((memory.entry(&key()), memory.sent("SET")), (None, 1));
}
