//! The response future of the service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tenancy::{InTenant, TenantContext, TenantFutureExt, TenantId};
use tower_service::Service;

use crate::body::leave_context;
use crate::rejection::is_grpc;
use crate::trace::{self, Trace};
use crate::{Rejection, TenantBody};

pin_project! {
    /// The response future of [`TenantService`](crate::TenantService).
    ///
    /// It resolves a pending authorization or lookup first, and then calls the inner service in the tenant's context or
    /// returns a rejection.
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
        Rejected { rejection: Rejection, headers: HeaderMap, is_grpc: bool, is_exposed: bool },
    }
}

/// A request that waits for the policy or the directory, with the service that is ready for it.
pub(crate) struct Check<S, B> {
    pub(crate) answer: Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>,
    pub(crate) waiting: Option<(S, Request<B>)>,
    pub(crate) tenant: TenantId,
    pub(crate) exposes_rejection: bool,
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
    pub(crate) fn rejected(rejection: Rejection, request: Request<B>, is_exposed: bool) -> Self {
        trace::rejected(rejection);
        let is_grpc = is_grpc(&request);
        // The rest of the request is dropped here, not in the caller's tenant.
        let headers = leave_context(|| request.into_parts().0.headers);
        Self { state: State::Rejected { rejection, headers, is_grpc, is_exposed } }
    }
}

/// Calls the inner service in the tenant.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a call would copy the request, 240 bytes, once more")]
pub(crate) fn start<S, B, R>(inner: &mut S, request: Request<B>, tenant: TenantId) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let trace = Trace::of(tenant);
    TenantContext::scope(tenant, || {
        let future = trace.in_span(|| inner.call(request)).in_tenant(tenant);
        ResponseFuture::running(future, Some(tenant), trace)
    })
}

/// Calls the inner service without a tenant.
#[inline(never)]
pub(crate) fn start_exempt<S, B, R>(inner: &mut S, request: Request<B>) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let future = TenantContext::without(|| inner.call(request));
    ResponseFuture::running(future.in_own_context(), None, Trace::NONE)
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
                    let response = ready!(trace.in_span(|| future.poll(context)))?;
                    let body = |inner| TenantBody::new(inner, *tenant, trace.clone());
                    return Poll::Ready(Ok(response.map(body)));
                }
                StateProjection::Rejected { rejection, headers, is_grpc, is_exposed } => {
                    let mut response = response_of(*rejection, std::mem::take(headers), *is_grpc);
                    if *is_exposed {
                        response.extensions_mut().insert(*rejection);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Checking { check } => {
                    let next = ready!(check.poll(context));
                    state.set(next.state);
                }
            }
        }
    }
}

/// Builds the response of a rejected request in the memory of the request's header fields, so that nothing is allocated if
/// it had some.
fn response_of<B>(rejection: Rejection, mut headers: HeaderMap, is_grpc: bool) -> Response<TenantBody<B>> {
    headers.clear();
    let (status, body) = if is_grpc {
        rejection.fill_grpc(&mut headers);
        (StatusCode::OK, None)
    } else {
        rejection.fill(&mut headers);
        (rejection.status(), Some(rejection))
    };
    let mut response = Response::new(TenantBody::rejected(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Drops the request of a future that was cancelled.
impl<S, B> Drop for Check<S, B> {
    fn drop(&mut self) {
        leave_context(|| self.waiting = None);
    }
}

impl<S, B, R> Check<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    /// Returns the future that follows the answer.
    #[cold]
    #[inline(never)]
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ResponseFuture<S, B>> {
        let answer = ready!(self.answer.as_mut().poll(context));
        // The caller replaces this future by the returned one, so it is not polled again.
        let Some((mut inner, request)) = self.waiting.take() else { return Poll::Pending };
        Poll::Ready(match answer {
            Ok(()) => start(&mut inner, request, self.tenant),
            Err(rejection) => ResponseFuture::rejected(rejection, request, self.exposes_rejection),
        })
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
