//! Answers of the cache, and lookups that fail, wait and are cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{Directory, TenantId, TenantStatus};
use tenancy_directory::{CachedDirectory, CachedError};
use tokio::sync::{Notify, Semaphore};

fn tenant(number: u64) -> TenantId {
    TenantId::from_bytes((u128::from(number) + 2).to_be_bytes()).expect("an id")
}

/// A directory whose answer can be changed, delayed and replaced by a failure.
#[derive(Default)]
struct Controlled {
    answer: std::sync::Mutex<Option<TenantStatus>>,
    fails: std::sync::atomic::AtomicBool,
    asked: AtomicUsize,
    /// Has a permit for each answer, if answers are delayed.
    gate: Option<Semaphore>,
    began: Notify,
}

impl Controlled {
    fn new(answer: Option<TenantStatus>) -> Self {
        Self { answer: answer.into(), ..Self::default() }
    }

    fn held_back(answer: Option<TenantStatus>) -> Self {
        Self { gate: Some(Semaphore::new(0)), ..Self::new(answer) }
    }

    fn answer(&self, answer: Option<TenantStatus>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Directory for Controlled {
    type Error = &'static str;

    async fn status(&self, _: TenantId) -> Result<Option<TenantStatus>, Self::Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // A database decides its answer at the time of the query.
        let answer = *self.answer.lock().unwrap();
        self.began.notify_one();
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("open").forget();
        }
        if self.fails.load(Ordering::SeqCst) { Err("down") } else { Ok(answer) }
    }
}

const ACTIVE: Option<TenantStatus> = Some(TenantStatus::Active);
const SUSPENDED: Option<TenantStatus> = Some(TenantStatus::Suspended);

fn cached(directory: Controlled) -> CachedDirectory<Controlled> {
    CachedDirectory::new(directory, 100).ttl(Duration::from_secs(10)).unknown_ttl(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn answer_is_cached_until_its_ttl() {
    let cache = cached(Controlled::new(ACTIVE));
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    cache.directory().answer(SUSPENDED);
    tokio::time::advance(Duration::from_millis(9_999)).await;
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    assert_eq!(cache.status_now(tenant(1)), std::task::Poll::Ready(ACTIVE));
    assert_eq!(cache.directory().asked(), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(cache.status_now(tenant(1)).is_pending());
    assert_eq!(cache.status(tenant(1)).await, Ok(SUSPENDED));
    assert_eq!(cache.directory().asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_tenant_is_cached_only_for_unknown_ttl() {
    let cache = cached(Controlled::new(None));
    assert_eq!(cache.status(tenant(1)).await, Ok(None));
    cache.directory().answer(ACTIVE);
    assert_eq!(cache.status(tenant(1)).await, Ok(None));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

/// openMF/selfservice-plugin PR#196 served a stale entry if the directory failed.
#[tokio::test(start_paused = true)]
async fn failure_is_returned_instead_of_an_expired_answer() {
    let cache = cached(Controlled::new(ACTIVE));
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    cache.directory().fails.store(true, Ordering::SeqCst);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(cache.status(tenant(1)).await, Err(CachedError::Directory("down")));
    assert_eq!(cache.status(tenant(1)).await, Err(CachedError::Directory("down")));
    // A failure is not cached either.
    cache.directory().fails.store(false, Ordering::SeqCst);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

#[tokio::test]
async fn concurrent_lookups_share_one_query() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    assert_eq!(together(&cache).await, (vec![Ok(ACTIVE); 100], 1));
}

#[tokio::test]
async fn waiter_takes_over_a_cancelled_lookup() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    let ask = || {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move { cache.status(tenant(1)).await })
    };
    let first = ask();
    cache.directory().began.notified().await;
    let second = ask();
    tokio::task::yield_now().await;
    first.abort();
    cache.directory().began.notified().await;
    cache.directory().gate.as_ref().unwrap().add_permits(1);
    assert_eq!(second.await.unwrap(), Ok(ACTIVE));
    assert_eq!(cache.directory().asked(), 2);
}

/// Waiters receive the answer even if its TTL is zero, and do not queue for lookups of their own.
#[tokio::test]
async fn waiters_share_an_answer_that_is_not_cached() {
    for ttl in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        for answer in [ACTIVE, None] {
            let cache = CachedDirectory::new(Controlled::held_back(answer), 10).ttl(ttl).unknown_ttl(ttl);
            assert_eq!(together(&Arc::new(cache)).await, (vec![Ok(answer); 100], 1), "{ttl:?}");
        }
    }
}

#[tokio::test]
async fn waiters_share_a_failure_that_is_not_cached() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    cache.directory().fails.store(true, Ordering::SeqCst);
    let (answers, asked) = together(&cache).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Err(CachedError::Shared)).count(), 99);
    assert_eq!((answers.len(), asked), (100, 1));
    cache.directory().fails.store(false, Ordering::SeqCst);
    cache.directory().gate.as_ref().unwrap().add_permits(1);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

/// Returns the answers to a hundred concurrent lookups, and the number of queries.
async fn together(
    cache: &Arc<CachedDirectory<Controlled>>,
) -> (Vec<Result<Option<TenantStatus>, CachedError<&'static str>>>, usize) {
    let ask = |_| {
        let cache = Arc::clone(cache);
        tokio::spawn(async move { cache.status(tenant(1)).await })
    };
    let waiting: Vec<_> = (0..100).map(ask).collect();
    cache.directory().began.notified().await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    cache.directory().gate.as_ref().unwrap().add_permits(1);
    let mut answers = Vec::new();
    for answer in waiting {
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
        answers.push(answer.expect("no queue").unwrap());
    }
    (answers, cache.directory().asked())
}

#[tokio::test(start_paused = true)]
async fn answer_with_maximal_ttl_never_expires() {
    let cache = CachedDirectory::new(Controlled::new(ACTIVE), 10).ttl(Duration::MAX);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    tokio::time::advance(Duration::from_hours(24 * 365)).await;
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    assert_eq!(cache.directory().asked(), 1);
}

/// A lookup that began before a suspension must not restore the tenant.
#[tokio::test]
async fn lookup_begun_before_an_invalidation_is_not_cached() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    let ask = || {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move { cache.status(tenant(1)).await })
    };
    let early = ask();
    cache.directory().began.notified().await;
    cache.directory().answer(SUSPENDED);
    cache.invalidate(tenant(1));
    let late = ask();
    cache.directory().began.notified().await;
    cache.directory().gate.as_ref().unwrap().add_permits(2);
    assert_eq!(early.await.unwrap(), Ok(ACTIVE));
    assert_eq!(late.await.unwrap(), Ok(SUSPENDED));
    assert_eq!(cache.status(tenant(1)).await, Ok(SUSPENDED));
    assert_eq!(cache.directory().asked(), 2);
}

#[tokio::test]
async fn invalidate_all_forgets_every_answer() {
    let cache = cached(Controlled::new(ACTIVE));
    for number in 0..10 {
        cache.status(tenant(number)).await.unwrap();
    }
    cache.directory().answer(SUSPENDED);
    cache.invalidate_all();
    for number in 0..10 {
        assert_eq!(cache.status(tenant(number)).await, Ok(SUSPENDED));
    }
}

#[tokio::test]
async fn cache_of_unknown_ids_is_bounded() {
    let cache = CachedDirectory::new(Controlled::new(None), 100);
    for number in 0..10_000 {
        cache.status(tenant(number)).await.unwrap();
    }
    let shown = format!("{cache:?}");
    let len: usize = shown.split("len: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(len <= 200, "{shown}");
}
