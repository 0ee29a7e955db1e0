//! Several owners on one thread: no owner changes the scope or the bare entry of another.

use std::cell::Cell;
use std::rc::Rc;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::cell_model::{Current, Walk};
use crate::support::tenant;

const A: u64 = 1;
const B: u64 = 2;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn seen() -> Option<TenantId> {
    TenantContext::get_optional()
}

/// The tasks that run inside of the poll of another task. Each of them walks by a model of its own, and after each step the
/// others run. What they do must not change the task's context.
async fn walk_beside_others(seed: u64, steps: u64, held: Option<TenantId>) -> u64 {
    let mut walk = Walk::new(&Current, seed, held);
    while walk.steps < steps {
        walk.advance(steps);
        yield_now().await;
        walk.check();
    }
    walk.steps
}

#[test]
fn tasks_behave_like_models_of_their_own() {
    const TASKS: u64 = 20;
    const STEPS: u64 = 1_500;
    let mut steps = 0;
    for seed in 0..40 {
        let total = runtime().block_on(async move {
            let local = LocalSet::new();
            // The outer task is in a scope while the inner ones run, half of them in a tenant of their own.
            let inner: Vec<_> = (0..TASKS)
                .map(|task| {
                    let seed = seed * 1_000 + task;
                    if task % 2 == 0 {
                        local.spawn_local(walk_beside_others(seed, STEPS, None))
                    } else {
                        let own = tenant(500 + task);
                        local.spawn_local(walk_in_scopes(seed, STEPS, own).in_tenant(own))
                    }
                })
                .collect();
            let outer = async {
                let mut total = 0;
                for task in inner {
                    total += task.await.expect("a task that does not panic");
                    assert_eq!(seen(), Some(tenant(A)));
                }
                total
            };
            local.run_until(outer).in_tenant(tenant(A)).await
        });
        steps += total;
    }
    assert!(steps >= 1_000_000, "{steps}");
}

/// As [`walk_beside_others`], but no guard is held while others run: a future in a tenant clears the context for a guard of
/// an earlier poll.
async fn walk_in_scopes(seed: u64, steps: u64, own: TenantId) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut held = Some(own);
    for _ in 0..steps {
        match random.u8(..6) {
            0 => {
                let next = tenant(random.u64(..100));
                TenantContext::set(next);
                held = Some(next);
            }
            1 => {
                TenantContext::clear();
                held = None;
            }
            2 => TenantContext::scope(tenant(7), || {
                let _guard = TenantContext::enter(tenant(8));
                TenantContext::set(tenant(9));
                assert_eq!(seen(), Some(tenant(9)));
            }),
            3 => TenantContext::without(|| assert_eq!(seen(), None)),
            _ => {}
        }
        assert_eq!(seen(), held);
        yield_now().await;
        assert_eq!(seen(), held);
    }
    steps
}

#[test]
fn bare_set_of_an_inner_task_does_not_change_the_outer_tasks_scope() {
    let local = LocalSet::new();
    let outer = async {
        for (inner, after) in [(Some(B), Some(B)), (None, None)] {
            spawn_local(async move {
                assert_eq!(seen(), None);
                match inner {
                    Some(number) => TenantContext::set(tenant(number)),
                    None => TenantContext::clear(),
                }
                assert_eq!(seen(), after.map(tenant));
            })
            .await
            .expect("a task");
            assert_eq!(seen(), Some(tenant(A)));
            yield_now().await;
            assert_eq!(seen(), Some(tenant(A)));
        }
    };
    runtime().block_on(local.run_until(outer).in_tenant(tenant(A)));
}

#[test]
fn bare_set_of_a_spawned_task_does_not_change_the_scope_of_the_thread() {
    let runtime = runtime();
    TenantContext::scope(tenant(A), || {
        runtime.block_on(async {
            tokio::spawn(async { TenantContext::set(tenant(B)) }).await.expect("a task");
            assert_eq!(seen(), Some(tenant(A)));
        });
        assert_eq!(seen(), Some(tenant(A)));
    });
    assert_eq!(seen(), None);
}

#[test]
fn destructor_of_a_cancelled_task_does_not_change_the_context_of_others() {
    struct Sets(Option<TenantId>, Rc<Cell<u32>>);
    impl Drop for Sets {
        fn drop(&mut self) {
            match self.0 {
                Some(tenant) => TenantContext::set(tenant),
                None => TenantContext::clear(),
            }
            self.1.set(self.1.get() + 1);
        }
    }
    let local = LocalSet::new();
    let dropped = Rc::new(Cell::new(0));
    let counter = Rc::clone(&dropped);
    let outer = async move {
        for held in [None, Some(tenant(B))] {
            let sets = Sets(held, Rc::clone(&counter));
            let task = spawn_local(async move {
                let _sets = sets;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            task.abort();
            assert!(task.await.expect_err("an aborted task").is_cancelled());
            assert_eq!(seen(), Some(tenant(A)));
        }
    };
    runtime().block_on(local.run_until(outer).in_tenant(tenant(A)));
    assert_eq!(dropped.get(), 2);
}

#[test]
fn bare_entries_of_tasks_do_not_replace_each_other() {
    runtime().block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                tokio::spawn(async move {
                    TenantContext::set(tenant(number));
                    for _ in 0..10 {
                        yield_now().await;
                        assert_eq!(seen(), Some(tenant(number)));
                    }
                    TenantContext::clear();
                    yield_now().await;
                    assert_eq!(seen(), None);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task");
        }
    });
}

/// With more tasks than the table has entries, an entry may read as unset. It never reads as another task's.
#[test]
fn bare_entries_beyond_the_slots_read_as_unset() {
    runtime().block_on(async {
        let tasks: Vec<_> = (0..5_000)
            .map(|number| {
                tokio::spawn(async move {
                    TenantContext::set(tenant(number));
                    yield_now().await;
                    let seen = seen();
                    assert!(seen.is_none() || seen == Some(tenant(number)), "{seen:?}");
                    seen.is_none()
                })
            })
            .collect();
        let mut unset = 0;
        for task in tasks {
            unset += u32::from(task.await.expect("a task"));
        }
        assert!(unset > 0, "the entries are not exhausted");
    });
}

#[test]
fn guard_that_moves_to_another_task_changes_nothing_there() {
    let local = LocalSet::new();
    let outer = async {
        let guard = TenantContext::enter(tenant(B));
        assert_eq!(seen(), Some(tenant(B)));
        let inner = async move {
            assert_eq!(seen(), Some(tenant(3)));
            drop(guard);
            assert_eq!(seen(), Some(tenant(3)));
        };
        spawn_local(inner.in_tenant(tenant(3))).await.expect("a task");
        // The guard ended: its tenant is not visible any more.
        assert_ne!(seen(), Some(tenant(B)));
    };
    runtime().block_on(local.run_until(outer));
}
