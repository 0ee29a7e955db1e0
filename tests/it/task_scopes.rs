//! A scope and a task's bare entry do not take each other's place.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::support::tenant;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// tokio-rs/tokio#2095 and tokio-rs/tokio#6016: a `LocalSet` runs other tasks inside a wrapped future.
#[test]
fn bare_set_of_a_local_task_does_not_replace_the_scope() {
    runtime().block_on(
        async {
            let local = LocalSet::new();
            local
                .run_until(async { spawn_local(async { TenantContext::set(tenant(2)) }).await.unwrap() })
                .await;
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
            yield_now().await;
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
        }
        .in_tenant(tenant(1)),
    );
}

#[test]
fn bare_clear_of_a_local_task_does_not_clear_the_scope() {
    runtime().block_on(
        async {
            let local = LocalSet::new();
            local.run_until(async { spawn_local(async { TenantContext::clear() }).await.unwrap() }).await;
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
        }
        .in_tenant(tenant(1)),
    );
}

#[test]
fn guard_of_a_local_task_held_over_an_await_does_not_replace_the_scope() {
    runtime().block_on(
        async {
            let local = LocalSet::new();
            let task = local.spawn_local(async {
                let _guard = TenantContext::enter(tenant(2));
                yield_now().await;
                assert_eq!(TenantContext::get(), Ok(tenant(2)));
            });
            local
                .run_until(async {
                    for _ in 0..5 {
                        assert_eq!(TenantContext::get(), Ok(tenant(1)));
                        yield_now().await;
                    }
                })
                .await;
            local.run_until(task).await.unwrap();
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
        }
        .in_tenant(tenant(1)),
    );
}

#[test]
fn bare_set_of_a_task_does_not_replace_the_bare_entry_of_its_thread() {
    TenantContext::set(tenant(1));
    runtime().block_on(async { tokio::spawn(async { TenantContext::set(tenant(2)) }).await.unwrap() });
    assert_eq!(TenantContext::get(), Ok(tenant(1)));
    TenantContext::clear();
}

/// The values of a task are dropped as the task's owner, here inside the scope of the code that drops the runtime.
#[test]
fn destructor_of_a_task_that_clears_does_not_clear_the_scope() {
    struct Clears;
    impl Drop for Clears {
        fn drop(&mut self) {
            TenantContext::clear();
        }
    }
    TenantContext::scope(tenant(1), || {
        let runtime = runtime();
        let clears = Clears;
        runtime.block_on(async {
            tokio::spawn(async move {
                let _clears = clears;
                std::future::pending::<()>().await;
            });
            yield_now().await;
        });
        drop(runtime);
        assert_eq!(TenantContext::get(), Ok(tenant(1)));
    });
}

#[test]
fn bare_set_of_a_spawned_task_does_not_change_the_scope_of_the_thread() {
    let runtime = runtime();
    TenantContext::scope(tenant(1), || {
        runtime.block_on(async {
            tokio::spawn(async { TenantContext::set(tenant(2)) }).await.expect("a task");
            assert_eq!(TenantContext::get_optional(), Some(tenant(1)));
        });
        assert_eq!(TenantContext::get_optional(), Some(tenant(1)));
    });
    assert_eq!(TenantContext::get_optional(), None);
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
        for held in [None, Some(tenant(2))] {
            let sets = Sets(held, Rc::clone(&counter));
            let task = spawn_local(async move {
                let _sets = sets;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            task.abort();
            assert!(task.await.expect_err("an aborted task").is_cancelled());
            assert_eq!(TenantContext::get_optional(), Some(tenant(1)));
        }
    };
    runtime().block_on(local.run_until(outer).in_tenant(tenant(1)));
    assert_eq!(dropped.get(), 2);
}

#[test]
fn bare_sets_of_tasks_on_one_thread_do_not_unset_each_other() {
    const TASKS: u64 = 500;
    let runtime = runtime();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                tokio::spawn(async move {
                    TenantContext::set(tenant(number));
                    for _ in 0..3 {
                        yield_now().await;
                        assert_eq!(TenantContext::get(), Ok(tenant(number)));
                    }
                    TenantContext::clear();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// More bare entries than there is room for: a task reads its own tenant or none.
#[test]
fn tasks_that_never_clear_see_only_their_own_tenants() {
    let runtime = runtime();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..20_000)
            .map(|number| {
                tokio::spawn(async move {
                    assert_eq!(TenantContext::get_optional(), None);
                    TenantContext::set(tenant(number));
                    yield_now().await;
                    let seen = TenantContext::get_optional();
                    assert!(seen.is_none() || seen == Some(tenant(number)));
                    seen.is_none()
                })
            })
            .collect();
        let mut unset = 0;
        for task in tasks {
            unset += u32::from(task.await.unwrap());
        }
        assert!(unset > 0, "there was room for all entries");
    });
}

/// The core reads the number of a task's id through a hasher and relies on it: ids of one process differ and go up.
#[test]
fn task_ids_are_not_reused() {
    let runtime = runtime();
    let mut last = 0;
    for _ in 0..20_000 {
        let id = runtime.block_on(runtime.spawn(async { tokio::task::id() })).unwrap();
        let number: u64 = id.to_string().parse().expect("tokio shows a task's id as its number");
        assert!(number > last);
        last = number;
    }
}

/// A guard that outlives its task's stay on a thread must not restore an older tenant.
#[test]
fn guard_dropped_by_another_owner_restores_only_its_own_owners_entry() {
    std::thread_local! {
        static GUARD: RefCell<Option<tenancy::TenantGuard>> = const { RefCell::new(None) };
    }
    let runtime = runtime();
    runtime.block_on(async {
        let first = tokio::spawn(async {
            TenantContext::set(tenant(1));
            GUARD.set(Some(TenantContext::enter(tenant(2))));
            yield_now().await;
            TenantContext::get_optional()
        });
        let second = tokio::spawn(async {
            TenantContext::set(tenant(3));
            drop(GUARD.take());
            TenantContext::get_optional()
        });
        assert_eq!(second.await.unwrap(), Some(tenant(3)));
        assert_eq!(first.await.unwrap(), Some(tenant(1)));
    });
}

#[test]
fn guard_that_moves_to_another_task_changes_nothing_there() {
    let local = LocalSet::new();
    let outer = async {
        let guard = TenantContext::enter(tenant(2));
        assert_eq!(TenantContext::get_optional(), Some(tenant(2)));
        let inner = async move {
            assert_eq!(TenantContext::get_optional(), Some(tenant(3)));
            drop(guard);
            assert_eq!(TenantContext::get_optional(), Some(tenant(3)));
        };
        spawn_local(inner.in_tenant(tenant(3))).await.expect("a task");
        // The guard ended: its tenant is not visible any more.
        assert_ne!(TenantContext::get_optional(), Some(tenant(2)));
    };
    runtime().block_on(local.run_until(outer));
}

#[test]
fn closure_bound_for_many_calls_runs_in_its_tenant() {
    let bound = TenantContext::scope(tenant(1), || {
        TenantContext::bind_fn(|number: u64| (number, TenantContext::get_optional()))
    });
    let unset = TenantContext::bind_fn(|()| TenantContext::get_optional());
    thread::scope(|threads| {
        for number in 0..4 {
            let (bound, unset) = (&bound, &unset);
            threads.spawn(move || {
                TenantContext::scope(tenant(9), || {
                    assert_eq!(bound(number), (number, Some(tenant(1))));
                    assert_eq!(unset(()), None);
                    assert_eq!(TenantContext::get(), Ok(tenant(9)));
                });
            });
        }
    });
}
