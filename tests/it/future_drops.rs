//! A future in a tenant is dropped exactly once, in its tenant, even if a poll or a drop panics.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tenancy::{TenantContext, TenantFutureExt};

use crate::support::{panic_silently, tenant};

/// When a future is ready, and whether its poll or drop panics.
#[derive(Clone, Copy, Debug)]
struct Plan {
    pending: usize,
    poll_panics: bool,
    drop_panics: bool,
}

struct Planned {
    plan: Plan,
    drops: Rc<Cell<usize>>,
}

impl Future for Planned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        assert!(TenantContext::is_set());
        // A tenant set here must not leave the future.
        TenantContext::set(tenant(2));
        if self.plan.pending > 0 {
            self.plan.pending -= 1;
            return Poll::Pending;
        }
        if self.plan.poll_panics {
            panic_silently();
        }
        Poll::Ready(())
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert!(TenantContext::is_set());
        if self.plan.drop_panics && !std::thread::panicking() {
            panic_silently();
        }
    }
}

#[test]
fn future_is_dropped_once_in_its_tenant() {
    let both = [false, true];
    for (pending, polls) in (0..3).flat_map(|pending| (0..5).map(move |polls| (pending, polls))) {
        for (poll_panics, drop_panics) in both.into_iter().flat_map(|one| both.map(|other| (one, other))) {
            let plan = Plan { pending, poll_panics, drop_panics };
            assert_eq!(drops_of(plan, polls), 1, "{plan:?}, {polls} polls");
        }
    }
}

/// Returns how often the future is dropped; asserts that no step leaves a tenant behind.
fn drops_of(plan: Plan, polls: usize) -> usize {
    let drops = Rc::new(Cell::new(0));
    let mut future = Box::pin(Planned { plan, drops: Rc::clone(&drops) }.in_tenant(tenant(1)));
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        assert!(!TenantContext::is_set());
        // A future must not be polled after it was ready or panicked.
        if !matches!(polled, Ok(Poll::Pending)) {
            break;
        }
    }
    let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
    assert!(!TenantContext::is_set());
    drops.get()
}

#[test]
fn future_is_dropped_by_the_poll_that_completes_it() {
    let drops = Rc::new(Cell::new(0));
    let plan = Plan { pending: 1, poll_panics: false, drop_panics: false };
    let mut future = Box::pin(Planned { plan, drops: Rc::clone(&drops) }.in_tenant(tenant(1)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    assert_eq!(drops.get(), 0);
    assert!(future.as_mut().poll(&mut context).is_ready());
    assert_eq!(drops.get(), 1);
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_a_completed_future_panics() {
    let mut future = Box::pin(async {}.in_tenant(tenant(1)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_ready());
    let _ = future.as_mut().poll(&mut context);
}

/// See the documentation of `InTenant`.
#[test]
fn future_in_a_tenant_has_the_documented_size() {
    assert_eq!(size_of_val(&async {}.in_tenant(tenant(1))), 16 + size_of_val(&async {}).next_multiple_of(4));
}
