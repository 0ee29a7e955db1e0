//! The response's body.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tenancy::{TenantContext, TenantId};

use crate::Refusal;
use crate::trace::Trace;

pin_project! {
    /// A response's body: each frame is polled, and the body dropped, in the request's tenant.
    ///
    /// What streams, events and gRPC messages do after the handler has returned is done in the tenant too
    /// (ErwinM/acts_as_tenant#175: there it was done in none).
    pub struct TenantBody<B> {
        // None once it is dropped.
        #[pin]
        inner: Option<B>,
        tenant: Option<TenantId>,
        trace: Trace,
        // What is left of a refusal to be said.
        refusal: Option<Refusal>,
    }

    impl<B> PinnedDrop for TenantBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                within(*this.tenant, this.trace, || this.inner.set(None));
            }
        }
    }
}

/// Runs something that concerns no tenant: the caller's own is not for it, and what it sets is not for the caller.
#[inline]
pub(crate) fn outside<R>(body: impl FnOnce() -> R) -> R {
    if TenantContext::is_set() {
        return TenantContext::interrupt(body);
    }
    // Cheaper than a scope, where it sets nothing.
    let result = body();
    if TenantContext::is_set() {
        TenantContext::clear();
    }
    result
}

/// Runs something in a tenant, or in none.
#[inline]
pub(crate) fn within<R>(tenant: Option<TenantId>, trace: &Trace, body: impl FnOnce() -> R) -> R {
    match tenant {
        Some(tenant) => TenantContext::scope(tenant, || trace.within(body)),
        None => TenantContext::interrupt(|| trace.within(body)),
    }
}

impl<B> TenantBody<B> {
    pub(crate) fn new(inner: B, tenant: Option<TenantId>, trace: Trace) -> Self {
        Self { inner: Some(inner), tenant, trace, refusal: None }
    }

    /// The body of a refusal, or of one that has none.
    pub(crate) fn refused(refusal: Option<Refusal>) -> Self {
        Self { inner: None, tenant: None, trace: Trace::NONE, refusal }
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
            return within(*this.tenant, this.trace, || inner.poll_frame(context));
        }
        let refusal = this.refusal.take();
        Poll::Ready(refusal.map(|refusal| Ok(Frame::data(refusal.problem().as_bytes().into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.refusal.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(self.refusal.map_or(0, |refusal| refusal.problem().len() as u64)),
        }
    }
}

/// Shows neither the tenant nor the body.
impl<B> fmt::Debug for TenantBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantBody").finish_non_exhaustive()
    }
}
