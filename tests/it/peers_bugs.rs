//! Bugs of similar projects, each with a test that would find it here.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use tenancy::{TenantContext, TenantFutureExt, TenantId};

use crate::support::{alone, tenant};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that is pending once.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

/// tokio-rs/tracing#2010: a guard held across an await stays entered for the next future that is polled.
#[test]
fn guard_across_an_await_does_not_leak_to_the_next_future() {
    let _alone = alone();
    let mut first = pin!(
        async {
            let _guard = TenantContext::enter(tenant(1));
            turn().await;
        }
        .in_own_context()
    );
    let mut second = pin!(async { TenantContext::get_optional() }.in_own_context());
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(TenantContext::get_optional(), None);
    assert_eq!(poll(second.as_mut()), Poll::Ready(None));
    assert!(poll(first.as_mut()).is_ready());
    assert_eq!(TenantContext::get_optional(), None);
}

/// Without a wrapper, the context belongs to the tokio task.
#[cfg(feature = "tokio")]
#[test]
fn guard_across_an_await_does_not_leak_to_the_next_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let first = tokio::task::spawn_local(async {
            let _guard = TenantContext::enter(tenant(1));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
        let second = tokio::task::spawn_local(async {
            for _ in 0..10 {
                assert_eq!(TenantContext::get_optional(), None);
                tokio::task::yield_now().await;
            }
        });
        first.await.expect("no panic");
        second.await.expect("no panic");
        assert_eq!(TenantContext::get_optional(), None);
    });
}

/// tokio-rs/tokio#2396 and tokio-rs/tokio#6659: users disagree whether a spawned task should inherit. Here it never
/// does, and reading the tenant is an error.
#[cfg(feature = "tokio")]
#[test]
fn spawned_task_inherits_no_tenant() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(
        async {
            let spawned = tokio::spawn(async { TenantContext::get() }).await.expect("no panic");
            assert_eq!(spawned, Err(tenancy::TenantContextNotSetError));
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
        }
        .in_tenant(tenant(1)),
    );
}

/// tokio-rs/tokio#4604: a task-local was unset while the values of its future were dropped.
#[test]
fn future_is_dropped_in_its_tenant_even_if_never_polled() {
    struct Tells(Arc<Mutex<Vec<Option<TenantId>>>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(TenantContext::get_optional());
        }
    }
    let _alone = alone();
    let told = Arc::new(Mutex::new(Vec::new()));
    let future = |told| {
        let tells = Tells(told);
        async move {
            let _tells = tells;
            turn().await;
        }
        .in_tenant(tenant(1))
    };
    drop(future(Arc::clone(&told)));
    {
        let mut polled = Box::pin(future(Arc::clone(&told)));
        assert!(poll(polled.as_mut()).is_pending());
    }
    assert_eq!(*told.lock().unwrap(), [Some(tenant(1)); 2]);
    assert_eq!(TenantContext::get_optional(), None);
}

/// tokio-rs/tokio#5162: access from a thread-local's destructor panicked, and the process aborted.
#[test]
fn context_works_in_thread_local_destructors() {
    struct Uses(Arc<Mutex<u32>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            let _ = TenantContext::get_optional();
            TenantContext::set(tenant(1));
            TenantContext::scope(tenant(2), || assert_eq!(TenantContext::get(), Ok(tenant(2))));
            drop(TenantContext::enter(tenant(3)));
            TenantContext::clear();
            assert_eq!(TenantContext::get_optional(), None);
            *self.0.lock().unwrap() += 1;
        }
    }
    std::thread_local! {
        static FIRST: RefCell<Option<Uses>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<Uses>> = const { RefCell::new(None) };
    }
    let used = Arc::new(Mutex::new(0));
    let (first, last) = (Uses(Arc::clone(&used)), Uses(Arc::clone(&used)));
    thread::spawn(move || {
        // One destructor is registered before the context's thread-locals, one after.
        FIRST.set(Some(first));
        TenantContext::set(tenant(9));
        LAST.set(Some(last));
    })
    .join()
    .expect("no panic");
    assert_eq!(*used.lock().unwrap(), 2);
}

/// citusdata/django-multitenant#176: under async, a thread-local tenant leaked into the next request.
#[test]
fn interleaved_requests_on_one_thread_keep_their_tenants() {
    let _alone = alone();
    let request = |number| {
        Box::pin(
            async move {
                for _ in 0..5 {
                    assert_eq!(TenantContext::get(), Ok(tenant(number)));
                    turn().await;
                }
            }
            .in_tenant(tenant(number)),
        )
    };
    let mut requests: Vec<_> = (1..=10).map(request).collect();
    let mut ended = 0;
    while ended < 10 {
        requests.retain_mut(|request| poll(request.as_mut()).is_pending());
        ended = 10 - requests.len();
        assert_eq!(TenantContext::get_optional(), None);
    }
}

/// archtechx/tenancy#274 and spatie/laravel-multitenancy PR#47: a worker ran a job as the previous job's tenant,
/// especially after a failure.
#[test]
fn job_does_not_inherit_the_previous_jobs_tenant() {
    let _alone = alone();
    let jobs: [(Option<u64>, bool); 4] = [(Some(1), false), (None, false), (Some(2), true), (None, false)];
    for (number, fails) in jobs {
        let job = || {
            assert_eq!(TenantContext::get_optional(), number.map(tenant));
            if fails {
                std::panic::resume_unwind(Box::new(()));
            }
        };
        let result = std::panic::catch_unwind(|| match number {
            Some(number) => TenantContext::scope(tenant(number), job),
            None => job(),
        });
        assert_eq!(result.is_err(), fails);
        assert_eq!(TenantContext::get_optional(), None);
    }
}

/// `ErwinM/acts_as_tenant#175`: the tenant was unset while the body streamed.
#[test]
fn body_streamed_later_keeps_its_tenant() {
    let _alone = alone();
    // The handler has returned; the body is polled by the connection, chunk by chunk.
    let body = TenantContext::scope(tenant(1), || {
        async {
            let mut chunks = 0;
            for _ in 0..5 {
                assert_eq!(TenantContext::get(), Ok(tenant(1)));
                chunks += 1;
                turn().await;
            }
            chunks
        }
        .in_current_tenant()
    });
    let mut body = pin!(body);
    let chunks = loop {
        assert_eq!(TenantContext::get_optional(), None);
        if let Poll::Ready(chunks) = poll(body.as_mut()) {
            break chunks;
        }
    };
    assert_eq!(chunks, 5);
}

/// aspnetboilerplate/abp#9622: after a nested change, the outer tenant was wrong.
#[test]
fn nested_change_restores_the_outer_tenant() {
    let _alone = alone();
    TenantContext::scope(tenant(1), || {
        let inner = TenantContext::enter(tenant(2));
        TenantContext::scope(tenant(3), || TenantContext::set(tenant(4)));
        assert_eq!(TenantContext::get(), Ok(tenant(2)));
        drop(inner);
        assert_eq!(TenantContext::get(), Ok(tenant(1)));
    });
    assert_eq!(TenantContext::get_optional(), None);
}
