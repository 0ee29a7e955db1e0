//! Futures that carry a context of their own.

use core::fmt;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::current::{Current, current};
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
/// A guard that the future keeps over an `await` clears the context when it is dropped in a later poll:
/// use [`TenantContext::scope`](crate::TenantContext::scope), or wrap the inner future.
#[must_use = "futures do nothing unless polled"]
pub struct InTenant<F> {
    held: Held,
    /// Pinned with the whole; dropped by hand, in the context.
    future: ManuallyDrop<F>,
}

impl<F> InTenant<F> {
    fn new(future: F, held: Held) -> Self {
        Self { held, future: ManuallyDrop::new(future) }
    }

    /// The future, and where its context is kept between polls.
    #[allow(unsafe_code)]
    fn project(self: Pin<&mut Self>) -> (Pin<&mut F>, &mut Held) {
        // SAFETY: `future` is pinned whenever the whole is: nothing moves it out, and `drop` drops it in
        // place. `held` is never pinned. `InTenant` is not packed, and `Unpin` only if `F` is.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut *this.future), &mut this.held)
        }
    }
}

impl<F: Future> Future for InTenant<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let (future, held) = self.project();
        let _swapped = Swapped { scope: Scope::begin(current(), *held), held };
        future.poll(context)
    }
}

impl<F> Drop for InTenant<F> {
    fn drop(&mut self) {
        let _scope = Scope::begin(current(), self.held);
        // SAFETY: dropped here alone, once, and in place.
        #[allow(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.future);
        }
    }
}

/// Keeps what a poll has made of the context, and then ends its scope; also when the poll panics.
struct Swapped<'f> {
    scope: Scope<Current>,
    held: &'f mut Held,
}

impl Drop for Swapped<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.held = self.scope.left();
    }
}

/// Shows neither the tenant nor the future.
impl<F> fmt::Debug for InTenant<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTenant").finish_non_exhaustive()
    }
}
