//! Concurrent calls for one key share a load.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_redis::cache::CacheError;
use tokio::sync::Barrier;

use super::memory::{Part, within};
use super::{Source, answer, ask, cache, loaded, settle, try_ask};
use crate::support::{A, B};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_share_one_load() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let tasks: Vec<_> = (0..200).map(|number| ask(&cache, A, &source, number.to_string())).collect();
    source.began().await;
    source.release(200);
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(loaded(task).await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!((source.loads(), memory.sent("SET")), (1, 1));
}

/// The loads wait for each other, so neither call may wait for the other.
#[tokio::test]
async fn tenants_do_not_share_loads() {
    let (_, cache) = cache();
    let barrier = Arc::new(Barrier::new(2));
    let ask = |tenant: TenantId| {
        let (cache, barrier) = (cache.clone(), Arc::clone(&barrier));
        let load = async move || {
            barrier.wait().await;
            Ok::<_, String>(Some(TenantContext::get().map(|tenant| tenant.to_string()).ok()))
        };
        tokio::spawn(async move { cache.get_or_set("k", load).await }.in_tenant(tenant))
    };
    for (task, tenant) in [(ask(A), A), (ask(B), B)] {
        assert_eq!(loaded(task).await, Some(Some(tenant.to_string())));
    }
    for tenant in [A, B] {
        let kept = TenantContext::scope(tenant, || cache.get::<String>("k")).await.expect("a reply");
        assert_eq!(kept.hit(), Some(tenant.to_string()));
    }
}

#[tokio::test]
async fn waiters_share_a_failure_and_the_next_call_loads_again() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let tasks = [(); 3].map(|()| try_ask::<String, _>(&cache, A, &source, Err("down".to_owned())));
    source.began().await;
    settle().await;
    source.release(1);
    let mut errors = Vec::new();
    for task in tasks {
        match answer(task).await {
            Err(CacheError::Load(error)) => errors.push(error),
            other => panic!("{other:?}"),
        }
    }
    assert!(*errors[0] == "down" && errors.iter().all(|error| Arc::ptr_eq(error, &errors[0])));
    source.release(1);
    assert_eq!(loaded(ask(&cache, A, &source, "up".to_owned())).await, Some("up".into()));
    assert_eq!((source.loads(), memory.sent("SET")), (2, 1));
}

async fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    let mut future = Some(future);
    poll_fn(move |context| Poll::Ready(future.take().expect("once").poll(context))).await
}

/// The first caller is dropped after each number of polls; then one of two waiting callers takes over.
#[tokio::test]
async fn another_caller_takes_over_at_any_poll_where_the_loader_is_dropped() {
    for polls in 1.. {
        let ((_, cache), source) = (cache(), Source::new());
        let ask = |text: &'static str| {
            let (cache, source) = (&cache, &source);
            let load = move || source.load::<_, String>(Ok(Some(text.to_owned())));
            Box::pin(TenantContext::scope(A, || cache.get_or_set("k", load)))
        };
        let mut first = ask("first");
        let (mut second, mut third) = (ask("second"), ask("third"));
        for poll in 0..polls {
            if poll_once(first.as_mut()).await.is_ready() {
                assert!(polls > 3, "the call waits for GET, its load and SET");
                return;
            }
            if poll == 0 {
                assert!(poll_once(second.as_mut()).await.is_pending());
                assert!(poll_once(third.as_mut()).await.is_pending());
            }
        }
        drop(first);
        let (second, third) = within(async { tokio::join!(second, third) }).await;
        assert_eq!(second.expect("loaded"), third.expect("loaded"), "after {polls} polls");
        assert!(source.loads() <= 2, "after {polls} polls");
        assert!(format!("{cache:?}").contains("loading: 0"), "after {polls} polls");
    }
}

#[tokio::test]
async fn panic_of_a_loader_reaches_only_its_own_caller() {
    let ((_, cache), source) = (cache(), Source::new());
    let (inner, began) = (cache.clone(), source.clone());
    let panics = async move {
        let load = async || {
            began.began.add_permits(1);
            settle().await;
            panic!("of the loader")
        };
        inner.get_or_set::<String, String, _, _>("k", load).await
    };
    let first = tokio::spawn(panics.in_tenant(A));
    source.began().await;
    let second = ask(&cache, A, &source, "second".to_owned());
    assert!(within(first).await.expect_err("a panic").is_panic());
    assert_eq!(loaded(second).await, Some("second".into()));
    assert_eq!(source.loads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_that_ended_failed_or_were_cancelled_leave_nothing() {
    let (_, cache) = cache();
    let mut rng = fastrand::Rng::with_seed(41);
    let mut tasks = Vec::new();
    for number in 0..10_000 {
        let (cache, key) = (cache.clone(), format!("k{}", rng.usize(..2000)));
        let (tenant, polls) = (*[A, B].get(number % 2).expect("two"), rng.usize(..8));
        tasks.push(tokio::spawn(async move {
            let source = Source::new();
            let load = || source.load(if polls == 5 { Err("down") } else { Ok(Some(7)) });
            let mut asks = Box::pin(TenantContext::scope(tenant, || cache.get_or_set(&key, load)));
            for _ in 0..polls {
                if poll_once(asks.as_mut()).await.is_ready() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        answer(task).await;
    }
    assert!(format!("{cache:?}").contains("loading: 0"), "{cache:?}");
}

/// Values and errors of one type cannot be shared with a call for another type.
#[tokio::test]
async fn call_for_another_type_loads_again() {
    let ((_, cache), source) = (cache(), Source::held_back());
    let text = ask(&cache, A, &source, "seven".to_owned());
    source.began().await;
    let number = ask::<u8>(&cache, A, &source, 7);
    settle().await;
    source.release(2);
    assert_eq!(loaded(text).await, Some("seven".into()));
    assert_eq!(loaded(number).await, Some(7));

    let ((_, cache), source) = (self::cache(), Source::held_back());
    let text = try_ask::<u8, _>(&cache, A, &source, Err("seven".to_owned()));
    source.began().await;
    let number = try_ask::<u8, _>(&cache, A, &source, Err(7));
    settle().await;
    source.release(2);
    assert!(matches!(answer(text).await, Err(CacheError::Load(error)) if *error == "seven"));
    assert!(matches!(answer(number).await, Err(CacheError::Load(error)) if *error == 7));
}

#[tokio::test]
async fn call_for_another_type_waits_until_the_value_is_stored() {
    let ((memory, cache), source) = (cache(), Source::new());
    let set = memory.hold("SET", Part::Command);
    let text = ask(&cache, A, &source, "seven".to_owned());
    set.came().await;
    let number = ask::<u8>(&cache, A, &source, 7);
    settle().await;
    set.release();
    assert_eq!(loaded(number).await, Some(7));
    assert_eq!(loaded(text).await, Some("seven".into()));
}

#[tokio::test]
async fn waiters_do_not_wait_until_the_value_is_stored() {
    let ((memory, cache), source) = (cache(), Source::held_back());
    let set = memory.hold("SET", Part::Reply);
    let first = ask(&cache, A, &source, "first".to_owned());
    source.began().await;
    let second = ask(&cache, A, &source, "second".to_owned());
    settle().await;
    source.release(1);
    set.came().await;
    for late in [second, ask(&cache, A, &source, "third".to_owned())] {
        assert_eq!(loaded(late).await, Some("first".into()));
    }
    assert!(!first.is_finished());
    set.release();
    assert_eq!(loaded(first).await, Some("first".into()));
}
