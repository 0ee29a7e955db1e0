//! The future of a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tenancy::{InTenant, TenantId};
use tower_service::Service;

use crate::body::outside;
use crate::layer::start;
use crate::refusal::is_grpc;
use crate::trace::{self, Trace};
use crate::{Refusal, TenantBody};

pin_project! {
    /// The future of a request: it asks, if it must, then runs the service within in the tenant, or refuses.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Checking { check: Box<Check<S, B>> },
        Running { #[pin] future: InTenant<F>, tenant: Option<TenantId>, trace: Trace },
        Refused { refusal: Refusal, headers: HeaderMap, is_grpc: bool },
    }
}

/// A request that waits for an answer, and the service that will get it.
pub(crate) struct Check<S, B> {
    pub(crate) answer: Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>,
    pub(crate) waiting: Option<(S, Request<B>)>,
    pub(crate) tenant: TenantId,
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(crate) fn checking(check: Box<Check<S, B>>) -> Self {
        Self { state: State::Checking { check } }
    }

    #[inline]
    pub(crate) fn running(future: InTenant<S::Future>, tenant: Option<TenantId>, trace: Trace) -> Self {
        Self { state: State::Running { future, tenant, trace } }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn refused(refusal: Refusal, request: Request<B>) -> Self {
        trace::refused(refusal);
        let is_grpc = is_grpc(&request);
        // The rest of the request ends here, and is not the caller's tenant's.
        let headers = outside(|| request.into_parts().0.headers);
        Self { state: State::Refused { refusal, headers, is_grpc } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<TenantBody<R>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Running { future, tenant, trace } => {
                    let response = ready!(trace.within(|| future.poll(context)))?;
                    let body = |inner| TenantBody::new(inner, *tenant, trace.clone());
                    return Poll::Ready(Ok(response.map(body)));
                }
                StateProjection::Refused { refusal, headers, is_grpc } => {
                    return Poll::Ready(Ok(refusal.answer(std::mem::take(headers), *is_grpc)));
                }
                StateProjection::Checking { check } => {
                    let next = ready!(check.poll(context));
                    state.set(next.state);
                }
            }
        }
    }
}

/// A request that nobody waits for any more.
impl<S, B> Drop for Check<S, B> {
    fn drop(&mut self) {
        outside(|| self.waiting = None);
    }
}

impl<S, B, R> Check<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    /// The future that the answer leads to.
    #[cold]
    #[inline(never)]
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ResponseFuture<S, B>> {
        let answer = ready!(self.answer.as_mut().poll(context));
        // Whoever is given the future replaces this one with it.
        let Some((mut inner, request)) = self.waiting.take() else { return Poll::Pending };
        Poll::Ready(match answer {
            Ok(()) => start(&mut inner, request, self.tenant),
            Err(refusal) => ResponseFuture::refused(refusal, request),
        })
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
