//! tokio tasks: each sees its own tenant or none, on every thread.

use std::thread;
use std::time::Duration;

use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::support::tenant;

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().expect("a runtime")
}

/// Lets other tasks run; the task often returns on another worker.
async fn wander(random: &mut fastrand::Rng) {
    if random.usize(..8) == 0 {
        tokio::time::sleep(Duration::from_micros(random.u64(..) % 300)).await;
    } else {
        yield_now().await;
    }
}

/// A task with a context of its own: its tenant stays, whatever other tasks do.
async fn wrapped(own: TenantId, mut random: fastrand::Rng) {
    for _ in 0..random.usize(..12) {
        assert_eq!(TenantContext::get(), Ok(own));
        wander(&mut random).await;
        if random.usize(..4) == 0 {
            TenantContext::scope(tenant(999), || assert_eq!(TenantContext::get(), Ok(tenant(999))));
        }
    }
}

/// A task without a wrapper: it sees the tenant that it set last, or none.
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
fn concurrent_tasks_keep_their_tenants() {
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

/// A task sets a tenant on one worker, changes it on a second one, and returns to the first. No other task has set a
/// tenant there, but it must not see its old tenant.
#[test]
fn returning_task_finds_no_stale_tenant_on_a_worker() {
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
            // A busy machine moves the task rarely.
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
                        // A guard restores the last tenant of this task, or none.
                        last = seen;
                        drop(TenantContext::enter(tenant(round)));
                    }
                    _ => last = seen,
                }
                // The worker, and this task with it, moves to another thread of the pool.
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
fn bare_set_belongs_to_its_task_on_one_thread() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let local = async {
        TenantContext::set(tenant(1));
        let other = tokio::spawn(async {
            let before = TenantContext::get_optional();
            TenantContext::set(tenant(2));
            before
        });
        assert_eq!(other.await.expect("no panic"), None);
        // The other task has taken over the slot, so this task must not see the other's tenant.
        assert_ne!(TenantContext::get_optional(), Some(tenant(2)));
    };
    runtime.block_on(local);
    TenantContext::clear();
}

#[test]
fn tenants_are_carried_only_explicitly() {
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
fn blocking_thread_is_unset_for_its_next_job() {
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
fn branches_of_one_task_keep_their_tenants() {
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
