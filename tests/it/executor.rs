//! Futures in tenants without a runtime, polled in any order.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tenancy::{TenantContext, TenantFutureExt, TenantId};

use crate::support::{alone, tenant};

/// A future that is pending once.
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn turn() -> Turn {
    Turn(false)
}

fn poll(future: &mut Pin<Box<dyn Future<Output = ()>>>) -> Poll<()> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Asserts that the tenant is current when it is dropped.
struct SeesInDrop(Option<TenantId>);

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for SeesInDrop {
    fn drop(&mut self) {
        assert_eq!(TenantContext::get_optional(), self.0);
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn futures_polled_and_dropped_at_random_keep_their_tenants() {
    let _alone = alone();
    let random = &mut fastrand::Rng::with_seed(42);
    let mut made = 0_u64;
    let dropped = DROPPED.load(Ordering::Relaxed);
    let mut futures: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    let steps = if cfg!(miri) { 300 } else { 100_000 };
    for step in 0..steps {
        if futures.len() < 100 {
            made += 1;
            let own = tenant(made % 20);
            futures.push(Box::pin(
                async move {
                    let _sees = SeesInDrop(Some(own));
                    for _ in 0..step % 17 {
                        assert_eq!(TenantContext::get(), Ok(own));
                        turn().await;
                    }
                }
                .in_tenant(own),
            ));
        }
        let at = random.usize(..futures.len());
        // Some futures are dropped before their end, all of them without a current tenant.
        if random.usize(..10) == 0 || poll(&mut futures[at]).is_ready() {
            drop(futures.swap_remove(at));
        }
        assert_eq!(TenantContext::get_optional(), None);
    }
    drop(futures);
    assert!(DROPPED.load(Ordering::Relaxed) > dropped + steps / 100);
}

#[test]
fn tenant_set_in_a_future_does_not_leave_it() {
    let _alone = alone();
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(
        async {
            assert_eq!(TenantContext::get_optional(), None);
            TenantContext::set(tenant(1));
            turn().await;
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
            TenantContext::clear();
            turn().await;
            assert_eq!(TenantContext::get_optional(), None);
        }
        .in_own_context(),
    );
    let mut polls = 0;
    while poll(&mut future).is_pending() {
        polls += 1;
        assert_eq!(TenantContext::get_optional(), None);
        TenantContext::scope(tenant(9), || assert_eq!(TenantContext::get(), Ok(tenant(9))));
    }
    assert_eq!(polls, 2);
}

#[test]
fn nested_futures_use_the_innermost_tenant() {
    let _alone = alone();
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(
        async {
            async {
                turn().await;
                assert_eq!(TenantContext::get(), Ok(tenant(2)));
                async { assert_eq!(TenantContext::get_optional(), None) }.in_own_context().await;
                async { assert_eq!(TenantContext::get(), Ok(tenant(2))) }.in_current_tenant().await;
            }
            .in_tenant(tenant(2))
            .await;
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
        }
        .in_tenant(tenant(1)),
    );
    while poll(&mut future).is_pending() {}
}

#[test]
fn panic_in_a_poll_restores_the_callers_context() {
    let _alone = alone();
    TenantContext::scope(tenant(7), || {
        let mut future: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(async { std::panic::resume_unwind(Box::new(())) }.in_tenant(tenant(1)));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut future)));
        assert!(panicked.is_err());
        assert_eq!(TenantContext::get(), Ok(tenant(7)));
        drop(future);
        assert_eq!(TenantContext::get(), Ok(tenant(7)));
    });
}

#[test]
fn panic_in_a_drop_restores_the_callers_context() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            assert_eq!(TenantContext::get(), Ok(tenant(1)));
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let _alone = alone();
    let panics = Panics;
    let future = async move {
        let _panics = panics;
    }
    .in_tenant(tenant(1));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(future)));
    assert!(panicked.is_err());
    assert_eq!(TenantContext::get_optional(), None);
}

/// A guard held across an `await` is a mistake, but its tenant must not leak.
#[test]
fn guard_held_across_an_await_clears_on_drop() {
    let _alone = alone();
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(
        async {
            let guard = TenantContext::enter(tenant(2));
            turn().await;
            assert_eq!(TenantContext::get(), Ok(tenant(2)));
            drop(guard);
            assert_eq!(TenantContext::get_optional(), None);
        }
        .in_tenant(tenant(1)),
    );
    while poll(&mut future).is_pending() {
        assert_eq!(TenantContext::get_optional(), None);
    }
}
