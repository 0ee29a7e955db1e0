//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tenancy::{TenantContext, TenantId};

use crate::Rejection;
use crate::trace::Trace;

pin_project! {
    /// A response's body that is polled and dropped in the request's tenant.
    ///
    /// Streams, server-sent events and gRPC messages are produced after the handler returned. Without this body they
    /// would run in no tenant, as in [ErwinM/acts_as_tenant#175](https://github.com/ErwinM/acts_as_tenant/issues/175).
    pub struct TenantBody<B> {
        // None after it was dropped.
        #[pin]
        inner: Option<B>,
        tenant: Option<TenantId>,
        trace: Trace,
        // The part of a rejection's body that has not been sent.
        rejection: Option<Rejection>,
    }

    impl<B> PinnedDrop for TenantBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                in_context(*this.tenant, this.trace, || this.inner.set(None));
            }
        }
    }
}

/// Runs a closure without a tenant. The closure does not see the caller's context and cannot change it.
#[inline]
pub(crate) fn leave_context<R>(body: impl FnOnce() -> R) -> R {
    if TenantContext::is_set() {
        return TenantContext::without(body);
    }
    // Cheaper than a scope if the closure sets nothing.
    let result = body();
    if TenantContext::is_set() {
        TenantContext::clear();
    }
    result
}

/// Runs a closure in a tenant, or in none.
#[inline]
fn in_context<R>(tenant: Option<TenantId>, trace: &Trace, body: impl FnOnce() -> R) -> R {
    match tenant {
        Some(tenant) => TenantContext::scope(tenant, || trace.in_span(body)),
        None => TenantContext::without(|| trace.in_span(body)),
    }
}

impl<B> TenantBody<B> {
    pub(crate) fn new(inner: B, tenant: Option<TenantId>, trace: Trace) -> Self {
        Self { inner: Some(inner), tenant, trace, rejection: None }
    }

    /// Returns the body of a rejection. A rejection of a gRPC request has none.
    pub(crate) fn rejected(rejection: Option<Rejection>) -> Self {
        Self { inner: None, tenant: None, trace: Trace::NONE, rejection }
    }
}

/// An empty body that belongs to no tenant, for layers that replace a response, such as tower-http's `TimeoutLayer`.
impl<B: Default> Default for TenantBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None, Trace::NONE)
    }
}

impl<B> Body for TenantBody<B>
where
    B: Body<Data: From<&'static [u8]>>,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(inner) = this.inner.as_pin_mut() {
            return in_context(*this.tenant, this.trace, || inner.poll_frame(context));
        }
        let rejection = this.rejection.take();
        Poll::Ready(rejection.map(|rejection| Ok(Frame::data(rejection.problem().as_bytes().into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.rejection.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => {
                SizeHint::with_exact(self.rejection.map_or(0, |rejection| rejection.problem().len() as u64))
            }
        }
    }
}

/// Shows neither the tenant nor the body.
impl<B> fmt::Debug for TenantBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantBody").finish_non_exhaustive()
    }
}
