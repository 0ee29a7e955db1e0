//! The layer, and the service that it creates.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tenancy::{TenantFutureExt, TenantId};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::leave_context;
use crate::exempt::Exempt;
use crate::future::{Check, ResponseFuture, start, start_exempt};
use crate::policy::PendingAccess;
use crate::source::{Resolved, resolve};
use crate::trace;
use crate::{Access, Directory, Policy, Rejection, RequestHead, TenantBody, TenantSource};

/// A layer that runs each request in its tenant.
///
/// The [crate's documentation](crate) describes the steps. [`builder`](Self::builder) creates a layer.
///
/// Around a whole router the layer allocates nothing for a request whose directory answers at once. It also works with
/// axum's `Router::layer`, where axum boxes each request's future once more.
pub struct TenantLayer<D, P>(Arc<Shared<D, P>>);

pub(crate) struct Shared<D, P> {
    pub(crate) directory: D,
    pub(crate) policy: P,
    pub(crate) sources: Box<[TenantSource]>,
    pub(crate) exempt: Exempt,
    pub(crate) timeout: Duration,
    pub(crate) exposes_rejections: bool,
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

/// A service that runs each request in its tenant: see [`TenantLayer`].
pub struct TenantService<S, D, P> {
    inner: S,
    shared: Arc<Shared<D, P>>,
}

/// What is decided about a request without waiting.
enum Decision {
    Active(TenantId),
    Exempt,
    Rejected(Rejection),
    /// The directory has to be asked, and before it the policy if its decision is pending.
    Pending(TenantId, Option<PendingAccess>),
}

impl<D: Directory, P: Policy> Shared<D, P> {
    #[inline]
    fn decide(&self, request: &RequestHead<'_>) -> Decision {
        if self.exempt.has(request.uri().path()) {
            return Decision::Exempt;
        }
        let Resolved { tenant, token_tenant } = match resolve(&self.sources, request) {
            Ok(resolved) => resolved,
            Err(rejection) => return Decision::Rejected(rejection),
        };
        match self.policy.authorize(&request.with_token_tenant(token_tenant), tenant) {
            Access::Granted => self.verify(tenant),
            Access::Denied => Decision::Rejected(Rejection::Forbidden),
            Access::Later(access) => Decision::Pending(tenant, Some(access)),
        }
    }

    #[inline]
    fn verify(&self, tenant: TenantId) -> Decision {
        trace::authorized(tenant);
        match self.directory.status_now(tenant).map(Rejection::of_status) {
            Poll::Ready(Ok(())) => Decision::Active(tenant),
            Poll::Ready(Err(rejection)) => Decision::Rejected(rejection),
            Poll::Pending => Decision::Pending(tenant, None),
        }
    }

    /// Waits for the policy and then for the directory.
    async fn check(&self, tenant: TenantId, access: Option<PendingAccess>) -> Result<(), Rejection> {
        if let Some(access) = access {
            match access.decide().await {
                Ok(true) => {}
                Ok(false) => return Err(Rejection::Forbidden),
                Err(error) => return Err(unavailable(&error)),
            }
            trace::authorized(tenant);
        }
        Rejection::of_status(self.directory.status(tenant).await.map_err(|error| unavailable(&error))?)
    }
}

/// Logs the reason for the operator, and hides it from the caller.
fn unavailable(error: &dyn fmt::Display) -> Rejection {
    trace::failed(error);
    Rejection::Unavailable
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
        // Without a request there is no tenant, and the caller's context is not the inner service's.
        leave_context(|| self.inner.poll_ready(context))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The caller's context does not belong to the request or the policy.
        let tenant = match leave_context(|| self.shared.decide(&RequestHead::from(&request))) {
            Decision::Active(tenant) => tenant,
            Decision::Exempt => return start_exempt(&mut self.inner, request),
            Decision::Rejected(rejection) => {
                return ResponseFuture::rejected(rejection, request, self.shared.exposes_rejections);
            }
            Decision::Pending(tenant, access) => return self.check(request, tenant, access),
        };
        start(&mut self.inner, request, tenant)
    }
}

impl<S: Clone, D: Directory, P: Policy> TenantService<S, D, P> {
    /// Not inlined, so that requests that do not wait stay fast.
    #[cold]
    #[inline(never)]
    fn check<B>(
        &mut self,
        request: Request<B>,
        tenant: TenantId,
        access: Option<PendingAccess>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        let shared = Arc::clone(&self.shared);
        let exposes_rejection = shared.exposes_rejections;
        let answer = async move {
            let answer = tokio::time::timeout(shared.timeout, shared.check(tenant, access)).await;
            answer.unwrap_or_else(|elapsed| Err(unavailable(&elapsed)))
        };
        // The clone may not be ready; the service that is ready goes with the request (tower-rs/tower-http#561).
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let answer = Box::pin(answer.in_own_context());
        ResponseFuture::checking(Box::new(Check {
            answer,
            waiting: Some((inner, request)),
            tenant,
            exposes_rejection,
        }))
    }
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
