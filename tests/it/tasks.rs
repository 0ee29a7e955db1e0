//! Tasks of tokio: each sees its own tenant or none, wherever it runs.

use std::thread;
use std::time::Duration;

use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::support::tenant;

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().expect("a runtime")
}

/// Lets others run, and mostly comes back on another worker.
async fn wander(random: &mut fastrand::Rng) {
    if random.usize(..8) == 0 {
        tokio::time::sleep(Duration::from_micros(random.u64(..) % 300)).await;
    } else {
        yield_now().await;
    }
}

/// In a context of its own: what was set is there, whatever the others do.
async fn wrapped(own: TenantId, mut random: fastrand::Rng) {
    for _ in 0..random.usize(..12) {
        assert_eq!(TenantContext::get(), Ok(own));
        wander(&mut random).await;
        if random.usize(..4) == 0 {
            TenantContext::scope(tenant(999), || assert_eq!(TenantContext::get(), Ok(tenant(999))));
        }
    }
}

/// Without any wrapper: what was set last is there, or nothing.
async fn bare(mut random: fastrand::Rng) {
    let mut last = None;
    for _ in 0..random.usize(..12) {
        let seen = TenantContext::get_optional();
        assert!(seen.is_none() || seen == last, "{seen:?}, and {last:?} was set last");
        match random.usize(..4) {
            0 => {
                TenantContext::clear();
                last = None;
            }
            1 | 2 => {
                let next = tenant(random.u64(..) % 100);
                TenantContext::set(next);
                last = Some(next);
                assert_eq!(TenantContext::get_optional(), last);
            }
            _ => {}
        }
        wander(&mut random).await;
    }
}

#[test]
fn ten_thousand_tasks_of_a_hundred_tenants() {
    const TASKS: u64 = 10_000;
    let runtime = runtime(4);
    let (ended, cancelled, panicked) = runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let random = fastrand::Rng::with_seed(number);
                let own = tenant(number % 100);
                let task = match number % 3 {
                    0 => tokio::spawn(bare(random)),
                    _ => tokio::spawn(
                        async move {
                            wrapped(own, random).await;
                            assert!(number % 50 != 1, "on purpose");
                        }
                        .in_tenant(own),
                    ),
                };
                if number % 9 < 3 {
                    task.abort();
                }
                (number, task)
            })
            .collect();
        let mut counts = (0, 0, 0);
        for (number, task) in tasks {
            match task.await {
                Ok(()) => counts.0 += 1,
                Err(error) if error.is_cancelled() => counts.1 += 1,
                Err(error) => {
                    let message =
                        error.into_panic().downcast::<&str>().map_or_else(|_| "another", |text| *text);
                    assert!(message.contains("on purpose"), "task {number}: {message}");
                    counts.2 += 1;
                }
            }
        }
        counts
    });
    assert_eq!(ended + cancelled + panicked, TASKS);
    assert!(
        cancelled > TASKS / 10 && panicked > 0,
        "{ended} ended, {cancelled} cancelled, {panicked} panicked"
    );
}

/// A task sets on one worker, sets another or clears on a second, and comes back to the first, where nobody else
/// has set anything: what it had set there before must be gone.
#[test]
fn what_a_task_set_on_a_worker_before_is_not_there_when_it_comes_back() {
    const ROUNDS: u64 = 2_000;
    const LONGEST: u64 = 100 * ROUNDS;
    const RETURNS: u64 = 20;
    let runtime = runtime(1);
    let returns = runtime.block_on(async {
        let sets = tokio::spawn(async move {
            let mut visited = Vec::new();
            let mut returns = 0;
            let mut last = None;
            let mut rounds = 0..LONGEST;
            // A busy machine moves it seldom.
            while let Some(round) = rounds.next().filter(|round| *round < ROUNDS || returns <= RETURNS) {
                let here = thread::current().id();
                if visited.last() != Some(&here) {
                    returns += u64::from(visited.contains(&here));
                    visited.retain(|other| *other != here);
                    visited.push(here);
                }
                let seen = TenantContext::get_optional();
                assert!(seen.is_none() || seen == last, "{seen:?}, and {last:?} was set last");
                last = Some(tenant(round));
                match round % 7 {
                    0..=2 => TenantContext::set(tenant(round)),
                    3 => std::mem::forget(TenantContext::enter(tenant(round))),
                    4 => {
                        TenantContext::clear();
                        last = None;
                    }
                    5 => {
                        // A guard brings back what was there: this task's last, or nothing.
                        last = seen;
                        drop(TenantContext::enter(tenant(round)));
                    }
                    _ => last = seen,
                }
                // The worker goes on in another thread of the pool, and with it this task.
                tokio::task::block_in_place(|| {});
                yield_now().await;
            }
            returns
        });
        sets.await.expect("no task sees a stale tenant")
    });
    assert!(returns > RETURNS, "the task came back {returns} times: nothing was shown");
}

#[test]
fn a_bare_set_is_the_tasks_own_on_one_thread() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let local = async {
        TenantContext::set(tenant(1));
        let other = tokio::spawn(async {
            let before = TenantContext::get_optional();
            TenantContext::set(tenant(2));
            before
        });
        assert_eq!(other.await.expect("no panic"), None);
        // The other has taken the slot over, so there is none, and not the other's.
        assert_ne!(TenantContext::get_optional(), Some(tenant(2)));
    };
    runtime.block_on(local);
    TenantContext::clear();
}

#[test]
fn nothing_is_inherited_and_carrying_over_is_explicit() {
    let runtime = runtime(2);
    runtime.block_on(
        async {
            let own = TenantContext::get();
            assert_eq!(own, Ok(tenant(5)));
            let unset = Err(TenantContextNotSetError);
            assert_eq!(tokio::spawn(async { TenantContext::get() }).await.unwrap(), unset);
            assert_eq!(tokio::task::spawn_blocking(TenantContext::get).await.unwrap(), unset);
            assert_eq!(thread::spawn(TenantContext::get).join().unwrap(), unset);

            assert_eq!(tokio::spawn(async { TenantContext::get() }.in_current_tenant()).await.unwrap(), own);
            assert_eq!(
                tokio::task::spawn_blocking(TenantContext::bind(TenantContext::get)).await.unwrap(),
                own
            );
            assert_eq!(thread::spawn(TenantContext::bind(TenantContext::get)).join().unwrap(), own);
        }
        .in_tenant(tenant(5)),
    );
}

#[test]
fn a_blocking_pool_thread_is_unset_for_its_next_job() {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        tokio::task::spawn_blocking(|| TenantContext::set(tenant(1))).await.unwrap();
        for _ in 0..10 {
            let seen = tokio::task::spawn_blocking(TenantContext::get_optional).await.unwrap();
            assert_eq!(seen, None);
        }
    });
}

#[test]
fn two_branches_of_one_task_keep_their_tenants() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let branch = |number| {
            async move {
                for _ in 0..50 {
                    assert_eq!(TenantContext::get(), Ok(tenant(number)));
                    yield_now().await;
                }
            }
            .in_tenant(tenant(number))
        };
        tokio::join!(branch(1), branch(2), async {
            for _ in 0..50 {
                assert_eq!(TenantContext::get_optional(), None);
                yield_now().await;
            }
        });
        tokio::select! {
            () = branch(3) => {}
            () = branch(4) => {}
        }
        assert_eq!(TenantContext::get_optional(), None);
    });
}
