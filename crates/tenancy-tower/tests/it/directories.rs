//! Directories that err, hang and change, and the cache around them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{FixedDirectory, TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_tower::{Cached, CachedError, Directory, Refusal, Snapshot, TenantLayer};
use tokio::sync::{Notify, Semaphore};
use tower::{Layer, ServiceExt};

use crate::support::{directory, echo, get_of, tenant, text};

async fn status_over<D: Directory>(directory: D) -> u16 {
    let layer = TenantLayer::builder().directory(directory).trust_header().build();
    layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_fails_or_hangs_is_no_yes() {
    let fails = |_: TenantId| async { Err::<Option<TenantStatus>, _>("no route to host") };
    assert_eq!(status_over(fails).await, 503);
    let hangs = |_: TenantId| std::future::pending::<Result<Option<TenantStatus>, Infallible>>();
    let started = tokio::time::Instant::now();
    assert_eq!(status_over(hangs).await, 503);
    assert_eq!(started.elapsed().as_secs(), 1);

    let layer = TenantLayer::builder().directory(fails).trust_header().build();
    let response = layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(text(response).await, Refusal::Unavailable.problem());
}

#[tokio::test]
async fn every_kind_of_directory() {
    let record = TenantRecord::new(tenant(1), TenantSlug::parse("acme").unwrap(), TenantStatus::Active);
    let mut fixed = FixedDirectory::<4>::new();
    assert_eq!(status_over(fixed.clone()).await, 404);
    fixed.insert(record).unwrap();
    assert_eq!(status_over(fixed.clone()).await, 200);
    assert_eq!(status_over(Arc::new(fixed.clone())).await, 200);
    fixed.insert(record.with_status(TenantStatus::Suspended)).unwrap();
    assert_eq!(status_over(fixed).await, 403);
    assert_eq!(status_over(Cached::new(Arc::new(directory()), 10)).await, 200);
    assert_eq!(
        status_over(|_: TenantId| async { Ok::<_, Infallible>(Some(TenantStatus::Deleted)) }).await,
        404
    );
    assert_eq!(status_over(|_: TenantId| async { Ok::<_, Infallible>(None) }).await, 404);
}

#[tokio::test]
async fn a_snapshot_that_changes_is_seen_by_the_next_request() {
    let directory = Arc::new(Snapshot::new());
    assert_eq!(status_over(Arc::clone(&directory)).await, 404);
    directory.set(tenant(1), TenantStatus::Active);
    assert_eq!(status_over(Arc::clone(&directory)).await, 200);
    directory.update([(tenant(1), Some(TenantStatus::Suspended)), (tenant(2), Some(TenantStatus::Active))]);
    assert_eq!(status_over(Arc::clone(&directory)).await, 403);
    directory.remove(tenant(1));
    assert_eq!((status_over(Arc::clone(&directory)).await, directory.len()), (404, 1));
    directory.replace([(tenant(1), TenantStatus::Active)]);
    assert_eq!((status_over(Arc::clone(&directory)).await, directory.get(tenant(2))), (200, None));
    assert!(!format!("{directory:?}").contains("a5a5"));
}

#[test]
fn changes_by_several_threads_are_all_kept() {
    let directory = Snapshot::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let directory = &directory;
            scope.spawn(move || {
                for number in 0..100 {
                    directory.set(tenant(thread * 100 + number), TenantStatus::Active);
                }
            });
        }
    });
    assert_eq!(directory.len(), 400);
}

/// A directory whose answer can be changed, failed and held back.
#[derive(Default)]
struct Controlled {
    answer: std::sync::Mutex<Option<TenantStatus>>,
    fails: std::sync::atomic::AtomicBool,
    asked: AtomicUsize,
    /// Has a permit for each answer, where it is held back.
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
        // What a database would answer is settled when it is asked.
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

fn cached(directory: Controlled) -> Cached<Controlled> {
    Cached::new(directory, 100).ttl(Duration::from_secs(10)).unknown_ttl(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_its_time_and_no_longer() {
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
async fn a_new_tenant_is_not_hidden_for_long() {
    let cache = cached(Controlled::new(None));
    assert_eq!(cache.status(tenant(1)).await, Ok(None));
    cache.directory().answer(ACTIVE);
    assert_eq!(cache.status(tenant(1)).await, Ok(None));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

/// openMF/selfservice-plugin PR#196: there a stale entry was served where the directory failed.
#[tokio::test(start_paused = true)]
async fn a_failure_is_not_hidden_by_an_old_answer() {
    let cache = cached(Controlled::new(ACTIVE));
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    cache.directory().fails.store(true, Ordering::SeqCst);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(cache.status(tenant(1)).await, Err(CachedError::Directory("down")));
    assert_eq!(cache.status(tenant(1)).await, Err(CachedError::Directory("down")));
    // And a failure is not kept either.
    cache.directory().fails.store(false, Ordering::SeqCst);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

#[tokio::test]
async fn one_question_for_all_who_wait() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    assert_eq!(together(&cache).await, (vec![Ok(ACTIVE); 100], 1));
}

#[tokio::test]
async fn who_waits_goes_on_where_the_first_one_is_cancelled() {
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

/// However short an answer is kept: who waited for it has it, and does not queue for one of its own.
#[tokio::test]
async fn who_waits_for_an_answer_that_is_not_kept_does_not_queue() {
    for ttl in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        for answer in [ACTIVE, None] {
            let cache = Cached::new(Controlled::held_back(answer), 10).ttl(ttl).unknown_ttl(ttl);
            assert_eq!(together(&Arc::new(cache)).await, (vec![Ok(answer); 100], 1), "{ttl:?}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_shared_by_all_who_wait_and_kept_for_nobody() {
    let cache = Arc::new(cached(Controlled::held_back(ACTIVE)));
    cache.directory().fails.store(true, Ordering::SeqCst);
    let (answers, asked) = together(&cache).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Err(CachedError::Shared)).count(), 99);
    assert_eq!((answers.len(), asked), (100, 1));
    cache.directory().fails.store(false, Ordering::SeqCst);
    cache.directory().gate.as_ref().unwrap().add_permits(1);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
}

/// What a hundred hear who ask at the same time, and how often the directory is asked.
async fn together(
    cache: &Arc<Cached<Controlled>>,
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
async fn an_answer_may_be_kept_for_good() {
    let cache = Cached::new(Controlled::new(ACTIVE), 10).ttl(Duration::MAX);
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    tokio::time::advance(Duration::from_hours(24 * 365)).await;
    assert_eq!(cache.status(tenant(1)).await, Ok(ACTIVE));
    assert_eq!(cache.directory().asked(), 1);
}

/// A load that began before a tenant was suspended must not bring it back.
#[tokio::test]
async fn an_answer_that_was_under_way_is_not_kept_past_an_invalidation() {
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
async fn all_can_be_forgotten() {
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
async fn unknown_ids_do_not_fill_the_memory() {
    let cache = Cached::new(Controlled::new(None), 100);
    for number in 0..10_000 {
        cache.status(tenant(number)).await.unwrap();
    }
    let shown = format!("{cache:?}");
    let len: usize = shown.split("len: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(len <= 200, "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_tenant_is_denied_within_the_time() {
    let directory = Arc::new(Controlled::new(ACTIVE));
    let layer = TenantLayer::builder()
        .directory(Cached::new(Arc::clone(&directory), 100).ttl(Duration::from_secs(5)))
        .trust_header()
        .build();
    let status = || async { layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status().as_u16() };
    assert_eq!(status().await, 200);
    directory.answer(SUSPENDED);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(status().await, 403);
    directory.answer(None);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(status().await, 404);
}

/// The request was let in before: it ends as it would have, in its tenant.
#[tokio::test]
async fn a_directory_that_changes_while_a_request_runs() {
    let directory = Arc::new(directory());
    let layer = TenantLayer::builder().directory(Arc::clone(&directory)).trust_header().build();
    let suspend = Arc::clone(&directory);
    let service = tower::service_fn(move |_: http::Request<axum::body::Body>| {
        let suspend = Arc::clone(&suspend);
        async move {
            suspend.set(tenant(1), TenantStatus::Suspended);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(http::Response::new(axum::body::Body::from(crate::support::seen())))
        }
    });
    let response = layer.layer(service.clone()).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(text(response).await, tenant(1).to_string());
    assert_eq!(layer.layer(service).oneshot(get_of(tenant(1))).await.unwrap().status(), 403);
}
