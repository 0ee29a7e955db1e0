//! The layer of a worker.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::task::status::Status;
use apalis_core::task::{ExecutionContext, Task};
use serde::Serialize;
use tenancy::TenantContext;
use tenancy_token::{
    DeliveryGuard, JobVerifier, MAX_TOKEN, TokenError, TokenErrorKind, Verified, Verifier, decode_text,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::seal::{TASK_TOKEN, sealed_bytes};

/// A layer of a worker that runs each task in the tenant of its token.
///
/// A task without a valid token fails with an `AbortError`, whose source is a [`TokenError`]; its handler does not run,
/// and it is not retried. A handler that panics fails its task with a [`JobPanicked`](tenancy_token::JobPanicked), which
/// can be retried. A retry of a task is accepted; another task with the same token is not. The tokens are remembered in
/// memory: clone the layer for all workers of a process.
///
/// ```
/// use apalis_core::backend::memory::MemoryStorage;
/// use apalis_core::worker::builder::WorkerBuilder;
/// use tenancy::TenantContext;
/// use tenancy_apalis::TokenLayer;
/// use tenancy_token::{TokenKey, Verifier};
///
/// async fn handle(invoice: String) -> Result<(), tenancy::TenantContextNotSetError> {
///     println!("{invoice} of {}", TenantContext::get()?);
///     Ok(())
/// }
///
/// # fn example(secret: [u8; 32]) -> Result<(), tenancy_token::TokenError> {
/// let verifier = Verifier::<2>::new("jobs").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let worker = WorkerBuilder::new("worker")
///     .backend(MemoryStorage::<String>::new())
///     .layer(TokenLayer::new(verifier, 100_000))
///     .build(handle);
/// # let _ = worker;
/// # Ok(())
/// # }
/// ```
pub struct TokenLayer<const KEYS: usize>(Arc<Shared<KEYS>>);

#[derive(Debug)]
struct Shared<const KEYS: usize> {
    verifier: JobVerifier<KEYS>,
    seen: DeliveryGuard,
}

impl<const KEYS: usize> TokenLayer<KEYS> {
    /// Creates a layer that remembers up to `capacity` tokens that have not expired.
    pub fn new(verifier: Verifier<KEYS>, capacity: usize) -> Self {
        let (verifier, seen) = (JobVerifier::new(verifier), DeliveryGuard::new(capacity));
        Self(Arc::new(Shared { verifier, seen }))
    }
}

impl<const KEYS: usize> Shared<KEYS> {
    /// Verifies the token of a task. A task has an id, unless its backend assigns none.
    fn open<'b>(
        &self,
        context: &ExecutionContext,
        payload: &[u8],
        buffer: &'b mut [u8; MAX_TOKEN],
    ) -> Result<Verified<'b>, TokenError> {
        let text = context.metadata().get(TASK_TOKEN).ok_or(TokenErrorKind::Malformed)?;
        let verified = self.verifier.open(decode_text(text, buffer)?, payload)?;
        let task = context.task_id().ok_or(TokenErrorKind::Replayed)?.to_string();
        self.seen.accept(&verified, &task, self.verifier.now()?)?;
        Ok(verified)
    }
}

impl<const KEYS: usize> Clone for TokenLayer<KEYS> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<const KEYS: usize> fmt::Debug for TokenLayer<KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenLayer").field(&self.0).finish()
    }
}

impl<S, const KEYS: usize> Layer<S> for TokenLayer<KEYS> {
    type Service = TokenService<S, KEYS>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenService { inner, shared: Arc::clone(&self.0) }
    }
}

/// A service that runs each task in the tenant of its token: see [`TokenLayer`].
pub struct TokenService<S, const KEYS: usize> {
    inner: S,
    shared: Arc<Shared<KEYS>>,
}

impl<S, Args, const KEYS: usize> Service<Task<Args>> for TokenService<S, KEYS>
where
    S: Service<Task<Args>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxDynError>,
    Args: Serialize + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxDynError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        // Without a task there is no tenant.
        TenantContext::without(|| self.inner.poll_ready(context)).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Args>) -> Self::Future {
        // The clone may not be ready; the service that is ready goes with the task (tower-rs/tower-http#561).
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let mut buffer = [0; MAX_TOKEN];
            let verified = match sealed_bytes(&task.args) {
                Ok(payload) => shared.open(task.ctx(), &payload, &mut buffer).map_err(AbortError::new),
                Err(error) => Err(AbortError::new(error)),
            };
            let verified = verified.inspect_err(|_| {
                // apalis counts attempts inside of this layer, so a retry around it would never end.
                task.raw_status().store(Status::Killed);
            })?;
            verified.run(async move { inner.call(task).await }).await?.map_err(Into::into)
        })
    }
}

impl<S: Clone, const KEYS: usize> Clone for TokenService<S, KEYS> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, const KEYS: usize> fmt::Debug for TokenService<S, KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
