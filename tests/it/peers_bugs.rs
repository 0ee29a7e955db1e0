//! Bugs of peers, each as a test that would show it here.

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

/// Pending once.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

/// tokio-rs/tracing#2010: a guard held across an await stays entered for whoever is polled next.
#[test]
fn a_guard_across_an_await_is_not_entered_for_the_next_future() {
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

/// The same without any wrapper, where the context belongs to the tokio task.
#[cfg(feature = "tokio")]
#[test]
fn a_guard_across_an_await_is_not_entered_for_the_next_task() {
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

/// tokio-rs/tokio#2396 and tokio-rs/tokio#6659: whether a spawned task inherits is a surprise either way. Here
/// it never does, and says so by an error.
#[cfg(feature = "tokio")]
#[test]
fn spawn_inherits_nothing() {
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

/// tokio-rs/tokio#4604: the value is gone when the future's own values are dropped.
#[test]
fn the_tenant_is_there_in_the_drop_of_the_future() {
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

/// tokio-rs/tokio#5162: a look from a thread-local's destructor panics, and the process aborts.
#[test]
fn the_context_can_be_used_while_the_thread_ends() {
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
        // One registered before the context's own thread-locals, one after.
        FIRST.set(Some(first));
        TenantContext::set(tenant(9));
        LAST.set(Some(last));
    })
    .join()
    .expect("no panic");
    assert_eq!(*used.lock().unwrap(), 2);
}

/// citusdata/django-multitenant#176: under async, a thread-local tenant is the next request's.
#[test]
fn requests_that_take_turns_on_a_thread_keep_their_tenants() {
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

/// archtechx/tenancy#274 and spatie/laravel-multitenancy PR#47: a worker runs a job as the previous job's tenant,
/// above all after that one failed.
#[test]
fn a_job_does_not_run_as_the_previous_jobs_tenant() {
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

/// `ErwinM/acts_as_tenant#175`: the tenant is gone by the time that the body streams.
#[test]
fn a_body_that_streams_later_is_in_its_tenant() {
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

/// aspnetboilerplate/abp#9622: after a change within a change, the outer tenant is not the one it was.
#[test]
fn a_change_within_a_change_gives_the_outer_tenant_back() {
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
