//! Futures that carry a context of their own.

use core::fmt;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::current::current;
use super::entry::Held;
use super::place::{Place, Scope};
use crate::TenantId;

/// Gives a future a context of its own, on any executor.
///
/// ```
/// use tenancy::{TenantContext, TenantFutureExt, TenantId};
///
/// # use std::{pin::pin, task::{Context, Poll, Waker}};
/// let future = async { TenantContext::get() }.in_tenant(TenantId::PLATFORM);
/// # let Poll::Ready(seen) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
/// assert_eq!(seen, Ok(TenantId::PLATFORM));
/// assert!(!TenantContext::is_set());
/// ```
pub trait TenantFutureExt: Future + Sized {
    /// Runs the future in `tenant`.
    fn in_tenant(self, tenant: TenantId) -> InTenant<Self> {
        InTenant::new(self, tenant.into())
    }

    /// Runs the future in the caller's context as it is now: its tenant, or none.
    fn in_current_tenant(self) -> InTenant<Self> {
        InTenant::new(self, current().seen())
    }

    /// Runs the future in a context that starts unset, and that nobody else sees.
    fn in_own_context(self) -> InTenant<Self> {
        InTenant::new(self, Held::NONE)
    }
}

impl<F: Future> TenantFutureExt for F {}

/// A future with a context of its own: swapped in before each poll and before the future's drop, swapped
/// out after.
///
/// What the future sets or clears stays its own from poll to poll. It holds the future and 16 bytes.
/// Once it is ready the future is dropped, in the context still.
/// A guard that the future keeps over an `await` clears the context when it is dropped in a later poll:
/// use [`TenantContext::scope`](crate::TenantContext::scope), or wrap the inner future.
///
/// # Panics
///
/// When it is polled after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct InTenant<F> {
    held: Held,
    /// Pinned with the whole; dropped by hand, in the context: when it is ready, or with the whole.
    future: ManuallyDrop<F>,
}

/// What is held once the future is ready, and dropped. No tenant is all ones.
const DROPPED: Held = Held([u32::MAX; 4]);

/// Word by word, where `==` may call `memcmp` for less.
fn is_dropped(Held([a, b, c, d]): Held) -> bool {
    a & b & c & d == u32::MAX
}

impl<F> InTenant<F> {
    fn new(future: F, held: Held) -> Self {
        Self { held, future: ManuallyDrop::new(future) }
    }
}

impl<F: Future> Future for InTenant<F> {
    type Output = F::Output;

    #[allow(unsafe_code)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned whenever the whole is: nothing moves it out, and it is dropped in place.
        // `held` is never pinned. `InTenant` is not packed, and `Unpin` only if `F` is.
        let (future, held) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.future, &mut this.held)
        };
        assert!(!is_dropped(*held), "`InTenant` polled after it was ready");
        let scope = Scope::begin(current(), *held);
        // SAFETY: pinned, as above.
        let polled = unsafe { Pin::new_unchecked(&mut **future) }.poll(context);
        if polled.is_ready() {
            // Now, for this scope serves the drop too; marked first, for the drop may panic.
            *held = DROPPED;
            // SAFETY: it is not dropped yet, nor will it be again.
            unsafe { ManuallyDrop::drop(future) };
        } else {
            *held = scope.left();
        }
        polled
    }
}

impl<F> Drop for InTenant<F> {
    fn drop(&mut self) {
        if is_dropped(self.held) {
            return;
        }
        let _scope = Scope::begin(current(), self.held);
        // SAFETY: it was not dropped by a poll, and is now, once and in place.
        #[allow(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.future);
        }
    }
}

/// Shows neither the tenant nor the future.
impl<F> fmt::Debug for InTenant<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTenant").finish_non_exhaustive()
    }
}
