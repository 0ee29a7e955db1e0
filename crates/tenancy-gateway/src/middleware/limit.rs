//! The rate limit of each tenant, and its limit of concurrent requests.

mod shared;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tenancy::{Quota, TenantContext, TenantLimiter};
use tenancy_tower::Rejection;

use crate::semaphores::TenantSemaphores;
use crate::shared::SharedRedis;
use crate::tenants::MOST_TENANTS;

pub use shared::SharedLimit;

/// The maximum number of concurrent requests of a tenant.
const AT_ONCE: usize = 64;

/// A rate limit for each tenant.
#[derive(Debug)]
pub struct RateLimit {
    /// `None` if there is no limit.
    buckets: Option<Mutex<Box<TenantLimiter<MOST_TENANTS>>>>,
    /// The limit of all instances. While Redis fails, the local one applies.
    shared: Option<SharedLimit<SharedRedis>>,
    start: Instant,
    /// Limits the memory that the requests of one tenant hold, for example their bodies.
    concurrent: TenantSemaphores,
}

impl RateLimit {
    /// Creates a limit of requests per second and of the size of a burst. A rate of 0 disables the limit.
    pub fn new(rate: u32, burst: NonZeroU32) -> Self {
        let buckets = NonZeroU32::new(rate).map(|rate| {
            let quota = Quota::per_second(rate).burst(burst);
            Mutex::new(Box::new(TenantLimiter::new(quota)))
        });
        Self { buckets, shared: None, start: Instant::now(), concurrent: TenantSemaphores::new(AT_ONCE) }
    }

    /// Sets the maximum number of concurrent requests of a tenant. The default is 64.
    #[must_use]
    pub fn concurrent(self, maximum: NonZeroUsize) -> Self {
        Self { concurrent: TenantSemaphores::new(maximum.get()), ..self }
    }

    /// Creates a limit that all instances share. While Redis fails, each instance limits by itself.
    pub fn shared(rate: u32, burst: NonZeroU32, redis: SharedRedis) -> Self {
        let shared = NonZeroU32::new(rate).map(|rate| SharedLimit::new(rate, burst, redis));
        Self { shared, ..Self::new(rate, burst) }
    }

    /// Takes a token of the current tenant, or returns the number of seconds until there is one. Without a tenant,
    /// nothing is limited.
    async fn take(&self) -> Result<(), u64> {
        let (Some(buckets), Some(tenant)) = (&self.buckets, TenantContext::get_optional()) else {
            return Ok(());
        };
        // Boxed, so that the future is small without Redis.
        if let Some(shared) = &self.shared
            && let Ok(taken) = Box::pin(shared.take(tenant)).await
        {
            return taken.map_err(|nanoseconds| nanoseconds.div_ceil(1_000_000_000));
        }
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(tenant, self.start.elapsed()).map_err(|error| error.retry_after_seconds())
    }
}

/// Rejects requests over the rate limit, with the time to wait. Requests over the limit of concurrent requests wait
/// before their bodies are read.
pub async fn limit(State(limit): State<Arc<RateLimit>>, request: Request, next: Next) -> Response {
    match limit.take().await {
        Ok(()) => {
            let _permit = match TenantContext::get_optional() {
                Some(tenant) => limit.concurrent.acquire(tenant).await,
                None => None,
            };
            next.run(request).await
        }
        Err(seconds) => ([(RETRY_AFTER, HeaderValue::from(seconds))], Rejection::RateLimited).into_response(),
    }
}
