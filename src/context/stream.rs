//! Streams with a context of their own.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::current::{Scope, seen};
use super::entry::Held;
use crate::TenantId;

/// Methods that give a stream a context of its own, on any executor: as [`TenantFutureExt`] does for futures.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use tenancy::{TenantContext, TenantId, TenantStreamExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let rows = stream::iter(1..=2).map(|row| (row, TenantContext::get()));
/// let mut rows = rows.in_tenant(TenantId::PLATFORM);
///
/// // The consumer of the stream has no tenant. Each row is made in the stream's.
/// assert_eq!(rows.next().await, Some((1, Ok(TenantId::PLATFORM))));
/// assert!(!TenantContext::is_set());
/// assert_eq!(rows.next().await, Some((2, Ok(TenantId::PLATFORM))));
/// assert_eq!(rows.next().await, None);
/// # }
/// ```
///
/// [`TenantFutureExt`]: crate::TenantFutureExt
pub trait TenantStreamExt: Stream + Sized {
    /// Runs the stream in `tenant`.
    fn in_tenant(self, tenant: TenantId) -> InTenantStream<Self> {
        InTenantStream::new(self, tenant.into())
    }

    /// Runs the stream in the caller's current tenant, or without one if none is set.
    fn in_current_tenant(self) -> InTenantStream<Self> {
        InTenantStream::new(self, seen())
    }

    /// Runs the stream in a context that starts without a tenant.
    fn in_own_context(self) -> InTenantStream<Self> {
        InTenantStream::new(self, Held::NONE)
    }
}

impl<S: Stream> TenantStreamExt for S {}

/// A stream with a context of its own: see [`TenantStreamExt`].
///
/// The context is entered for each poll and for the stream's drop. What the stream sets or clears is kept from poll to
/// poll, and no other code sees it. The stream is dropped in the poll in which it ends, and later polls return `None`.
///
/// A guard that the stream holds between two items clears the context when it is dropped in a later poll. Use
/// [`TenantContext::scope`](crate::TenantContext::scope) instead.
#[must_use = "streams do nothing unless polled"]
pub struct InTenantStream<S> {
    held: Held,
    /// Pinned with the wrapper. `None` after the stream has ended.
    stream: Option<S>,
}

impl<S> InTenantStream<S> {
    fn new(stream: S, held: Held) -> Self {
        Self { held, stream: Some(stream) }
    }

    fn project(self: Pin<&mut Self>) -> (&mut Held, Pin<&mut Option<S>>) {
        // SAFETY: `stream` is pinned whenever the wrapper is: it is moved out nowhere, and `drop` only drops it in place.
        // `held` is never pinned. The wrapper is not packed, and `Unpin` only if `S` is.
        #[allow(unsafe_code)]
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.held, Pin::new_unchecked(&mut this.stream))
        }
    }
}

impl<S: Stream> Stream for InTenantStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let (held, mut stream) = self.project();
        let Some(running) = stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let scope = Scope::begin(*held);
        let polled = running.poll_next(context);
        if matches!(polled, Poll::Ready(None)) {
            // In the same scope.
            stream.set(None);
        } else {
            *held = scope.held();
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<S: Stream> FusedStream for InTenantStream<S> {
    /// Returns whether the stream has ended and was dropped.
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S> Drop for InTenantStream<S> {
    fn drop(&mut self) {
        if self.stream.is_none() {
            return;
        }
        let _scope = Scope::begin(self.held);
        // Drops the stream in place, as `Pin::set` does. A pinned stream is not moved.
        self.stream = None;
    }
}

/// Shows neither the tenant nor the stream.
impl<S> fmt::Debug for InTenantStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTenantStream").finish_non_exhaustive()
    }
}
