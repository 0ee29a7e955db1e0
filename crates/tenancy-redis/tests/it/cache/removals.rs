//! What is removed while it is read, loaded or stored does not come back.

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
async fn what_was_loaded_before_is_neither_stored_nor_given_to_who_asks_after() {
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
async fn another_tenants_and_another_keys_load_goes_on() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let a = ask(&cache, A, &source, "a".to_owned());
    source.began().await;
    within(TenantContext::scope(B, || cache.remove("k"))).await.expect("removed");
    within(TenantContext::scope(A, || cache.remove("other"))).await.expect("removed");
    source.release(1);
    assert_eq!(loaded(a).await, Some("a".into()));
    assert!(memory.entry(&key()).is_some());
}

/// `SET` is on its way: `UNLINK` must not overtake it.
#[tokio::test]
async fn what_is_being_stored_is_removed_after_it() {
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

/// The first removal is cancelled while it waits; the second must not overtake `SET` either, and who asks meanwhile
/// gets nothing old.
#[tokio::test]
async fn what_is_being_stored_is_removed_after_it_by_whoever_is_left() {
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
    // It asked while the removal was under way: it may get either.
    loaded(after).await;
    assert_eq!(loaded(ask(&cache, A, &source, "new".to_owned())).await, Some("new".into()));
}

/// Who stores is cancelled: nobody waits for it.
#[tokio::test]
async fn what_is_no_more_being_stored_is_not_waited_for() {
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
async fn what_was_read_before_is_not_given_to_who_asks_after() {
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

/// A read that begins while the removal is under way may see the old value: for those who asked by then.
#[tokio::test]
async fn what_was_read_while_it_was_removed_is_not_given_to_who_asks_after() {
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
async fn what_is_set_is_not_replaced_by_what_was_loaded_before() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let before = ask(&cache, A, &source, "old".to_owned());
    source.began().await;
    within(TenantContext::scope(A, || cache.set("k", "new"))).await.expect("set");
    source.release(1);
    assert_eq!(loaded(before).await, Some("old".into()));
    assert_eq!(memory.entry(&key()), Some(b"j\"new\"".to_vec()));
    assert_eq!(loaded(ask(&cache, A, &source, "newer".to_owned())).await, Some("new".into()));
}

/// What can't be kept does not leave what it was to replace.
#[tokio::test]
async fn what_is_too_large_is_given_and_not_kept() {
    let ((memory, cache), source) = (cache(), Source::new());
    let cache = cache.max_value_len(4);
    within(TenantContext::scope(A, || cache.set("k", &123))).await.expect("set");
    assert_eq!(memory.entry(&key()), Some(b"j123".to_vec()));
    within(TenantContext::scope(A, || cache.set("k", &1234))).await.expect("removed");
    assert_eq!(memory.entry(&key()), None);
    assert_eq!(loaded(ask(&cache, A, &source, 1234)).await, Some(1234));
    assert_eq!((memory.entry(&key()), memory.sent("SET")), (None, 1));
}
