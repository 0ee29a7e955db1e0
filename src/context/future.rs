//! Futures with a context of their own.

use core::fmt;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::current::{Scope, seen};
use super::entry::Held;
use crate::TenantId;

/// Methods that give a future a context of its own, on any executor.
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

    /// Runs the future in the caller's current tenant, or without one if none is set.
    fn in_current_tenant(self) -> InTenant<Self> {
        InTenant::new(self, seen())
    }

    /// Runs the future in a context that starts without a tenant.
    fn in_own_context(self) -> InTenant<Self> {
        InTenant::new(self, Held::NONE)
    }
}

impl<F: Future> TenantFutureExt for F {}

/// A future with a context of its own: see [`TenantFutureExt`].
///
/// The context is entered for each poll and for the future's drop. What the future sets or clears is kept from poll to
/// poll, and no other code sees it. The future is dropped as soon as it is ready. The wrapper adds 16 bytes.
///
/// A guard that the future holds across an `await` clears the context when it is dropped in a later poll. Use
/// [`TenantContext::scope`](crate::TenantContext::scope), or wrap an inner future.
///
/// # Panics
///
/// Panics if it is polled after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct InTenant<F> {
    held: Packed,
    /// Pinned with the wrapper. Dropped by hand in the context, when it is ready or with the wrapper.
    future: ManuallyDrop<F>,
}

/// A tenant or none, aligned to words, so that the wrapper adds 16 bytes.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Packed(Held);

impl Packed {
    #[inline]
    fn get(self) -> Held {
        self.0
    }
}

/// The value after the future was dropped.
const DROPPED: Held = Held::MAX;

impl<F> InTenant<F> {
    fn new(future: F, held: Held) -> Self {
        Self { held: Packed(held), future: ManuallyDrop::new(future) }
    }
}

impl<F: Future> Future for InTenant<F> {
    type Output = F::Output;

    #[allow(unsafe_code)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned whenever the wrapper is: nothing moves it out, and it is dropped in place.
        // `held` is never pinned. `InTenant` is not packed, and `Unpin` only if `F` is.
        let (future, held) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.future, &mut this.held)
        };
        assert!(held.get() != DROPPED, "`InTenant` polled after it was ready");
        let scope = Scope::begin(held.get());
        // SAFETY: pinned, as above.
        let polled = unsafe { Pin::new_unchecked(&mut **future) }.poll(context);
        if polled.is_ready() {
            // In the same scope. Marked first, because the drop may panic.
            *held = Packed(DROPPED);
            // SAFETY: it was not dropped before, and the mark prevents another drop.
            unsafe { ManuallyDrop::drop(future) };
            scope.end();
        } else {
            let left = scope.take();
            // Most polls change nothing, and the next poll waits for what was stored.
            if left != held.get() {
                *held = Packed(left);
            }
        }
        polled
    }
}

impl<F> Drop for InTenant<F> {
    fn drop(&mut self) {
        if self.held.get() == DROPPED {
            return;
        }
        let scope = Scope::begin(self.held.get());
        // SAFETY: it was not dropped by a poll, and is now, once and in place.
        #[allow(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.future);
        }
        scope.end();
    }
}

/// Shows neither the tenant nor the future.
impl<F> fmt::Debug for InTenant<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTenant").finish_non_exhaustive()
    }
}
