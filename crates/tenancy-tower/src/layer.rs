//! The layer, and the service that it makes.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::outside;
use crate::builder::{Exempt, NoDirectory, NoPolicy};
use crate::future::{Check, ResponseFuture};
use crate::policy::Asked;
use crate::source::resolve;
use crate::trace::{self, Trace};
use crate::{Access, Directory, Policy, Refusal, RequestHead, Source, TenantBody, TenantLayerBuilder};

/// Gives each request its tenant. See the [crate](crate) for what it does, and [`builder`](Self::builder) for
/// how it is made.
///
/// Around a whole router it allocates nothing for a request whose directory answers at once. Given to
/// axum's `Router::layer` it works too; there axum boxes each request's future once more.
pub struct TenantLayer<D, P>(Arc<Shared<D, P>>);

pub(crate) struct Shared<D, P> {
    pub(crate) directory: D,
    pub(crate) policy: P,
    pub(crate) sources: Box<[Source]>,
    pub(crate) exempt: Exempt,
    pub(crate) timeout: Duration,
}

impl TenantLayer<NoDirectory, NoPolicy> {
    /// Begins a layer: it needs a directory, and either a policy or the word that the header is to be trusted.
    ///
    /// ```
    /// use tenancy::{TenantId, TenantStatus};
    /// use tenancy_tower::{Snapshot, TenantLayer, claim_equals};
    ///
    /// let directory: Snapshot = [(TenantId::PLATFORM, TenantStatus::Active)].into_iter().collect();
    /// let layer = TenantLayer::builder()
    ///     .directory(directory)
    ///     .authorize(claim_equals(|tenant: &TenantId| Some(*tenant)))
    ///     .exempt("/healthz")
    ///     .build();
    /// # let _ = layer;
    /// ```
    ///
    /// Without a choice of authorization it does not compile:
    ///
    /// ```compile_fail,E0599
    /// let layer = tenancy_tower::TenantLayer::builder().directory(tenancy_tower::Snapshot::new()).build();
    /// ```
    ///
    /// Nor does it without a directory:
    ///
    /// ```compile_fail,E0599
    /// let layer = tenancy_tower::TenantLayer::builder().trust_header().build();
    /// ```
    pub fn builder() -> TenantLayerBuilder<NoDirectory, NoPolicy> {
        TenantLayerBuilder::new()
    }
}

impl<D, P> TenantLayer<D, P> {
    pub(crate) fn new(shared: Shared<D, P>) -> Self {
        Self(Arc::new(shared))
    }
}

impl<D, P, S> Layer<S> for TenantLayer<D, P> {
    type Service = TenantService<S, D, P>;

    fn layer(&self, inner: S) -> Self::Service {
        TenantService { inner, shared: Arc::clone(&self.0) }
    }
}

impl<D, P> Clone for TenantLayer<D, P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D, P> fmt::Debug for TenantLayer<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantLayer").field("sources", &self.0.sources).finish_non_exhaustive()
    }
}

/// A service whose requests have a tenant.
pub struct TenantService<S, D, P> {
    inner: S,
    shared: Arc<Shared<D, P>>,
}

/// What is known of a request without waiting.
enum Verdict {
    Active(TenantId),
    Exempt,
    Refused(Refusal),
    /// The directory has to be asked, and the policy first, where it did not say yes at once.
    Ask(TenantId, Option<Asked>),
}

impl<D: Directory, P: Policy> Shared<D, P> {
    #[inline]
    fn verdict(&self, request: &RequestHead<'_>) -> Verdict {
        if self.exempt.has(request.uri().path()) {
            return Verdict::Exempt;
        }
        let tenant = match resolve(&self.sources, request) {
            Ok(tenant) => tenant,
            Err(error) => return Verdict::Refused(error.into()),
        };
        match self.policy.authorize(request, tenant) {
            Access::Granted => self.verify(tenant),
            Access::Denied => Verdict::Refused(Refusal::Forbidden),
            Access::Later(asked) => Verdict::Ask(tenant, Some(asked)),
        }
    }

    #[inline]
    fn verify(&self, tenant: TenantId) -> Verdict {
        trace::authorized(tenant);
        match self.directory.status_now(tenant).map(Refusal::of_status) {
            Poll::Ready(Ok(())) => Verdict::Active(tenant),
            Poll::Ready(Err(refusal)) => Verdict::Refused(refusal),
            Poll::Pending => Verdict::Ask(tenant, None),
        }
    }

    /// Asks what could not be said at once, in the same order.
    async fn ask(&self, tenant: TenantId, asked: Option<Asked>) -> Result<(), Refusal> {
        if let Some(asked) = asked {
            match asked.await {
                Ok(true) => {}
                Ok(false) => return Err(Refusal::Forbidden),
                Err(error) => return Err(unavailable(&error)),
            }
            trace::authorized(tenant);
        }
        Refusal::of_status(self.directory.status(tenant).await.map_err(|error| unavailable(&error))?)
    }
}

/// The operator reads why; the caller does not.
fn unavailable(error: &dyn fmt::Display) -> Refusal {
    trace::failed(error);
    Refusal::Unavailable
}

impl<S, D, P, B, R> Service<Request<B>> for TenantService<S, D, P>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    D: Directory,
    P: Policy,
{
    type Response = Response<TenantBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // No request, no tenant: the caller's own is not for the service within.
        outside(|| self.inner.poll_ready(context))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A context that the caller had is neither the request's nor the policy's.
        let tenant = match outside(|| self.shared.verdict(&RequestHead::from(&request))) {
            Verdict::Active(tenant) => tenant,
            Verdict::Exempt => return start_exempt(&mut self.inner, request),
            Verdict::Refused(refusal) => return ResponseFuture::refused(refusal, request),
            Verdict::Ask(tenant, asked) => return self.ask(request, tenant, asked),
        };
        start(&mut self.inner, request, tenant)
    }
}

impl<S: Clone, D: Directory, P: Policy> TenantService<S, D, P> {
    /// Out of the way of the requests that need not wait.
    #[cold]
    #[inline(never)]
    fn ask<B>(&mut self, request: Request<B>, tenant: TenantId, asked: Option<Asked>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        let shared = Arc::clone(&self.shared);
        let answer = async move {
            let answer = tokio::time::timeout(shared.timeout, shared.ask(tenant, asked)).await;
            answer.unwrap_or_else(|late| Err(unavailable(&late)))
        };
        // The one that is ready goes with the request (tower-rs/tower-http#561).
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let answer = Box::pin(answer.in_own_context());
        ResponseFuture::checking(Box::new(Check { answer, waiting: Some((inner, request)), tenant }))
    }
}

/// Calls the service within, in the tenant.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a call would copy the request, 240 bytes, once more")]
pub(crate) fn start<S, B, R>(inner: &mut S, request: Request<B>, tenant: TenantId) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let trace = Trace::of(tenant);
    TenantContext::scope(tenant, || {
        let future = trace.within(|| inner.call(request)).in_tenant(tenant);
        ResponseFuture::running(future, Some(tenant), trace)
    })
}

/// Calls the service within, in no tenant.
#[inline(never)]
fn start_exempt<S, B, R>(inner: &mut S, request: Request<B>) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let future = TenantContext::interrupt(|| inner.call(request));
    ResponseFuture::running(future.in_own_context(), None, Trace::NONE)
}

impl<S: Clone, D, P> Clone for TenantService<S, D, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, D, P> fmt::Debug for TenantService<S, D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
