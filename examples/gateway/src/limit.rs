//! How much a tenant may ask, so that it takes nothing from the others.

mod shared;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use redis::aio::ConnectionManager;
use tenancy::{Quota, TenantContext, TenantId, TenantLimiter};
use tenancy_tower::Refusal;

use self::shared::SharedLimit;
use crate::tenants::MOST_TENANTS;

/// A bucket for each tenant: of this instance's own, or one for all instances.
#[derive(Debug)]
pub struct RateLimit {
    /// Where there is one, the others are for when it fails.
    shared: Option<SharedLimit>,
    /// None where there is no limit.
    buckets: Option<Mutex<Box<TenantLimiter<MOST_TENANTS>>>>,
    start: Instant,
}

impl RateLimit {
    /// So many requests a second of each tenant, and so many at once; a rate of 0 is no limit.
    pub fn new(rate: u32, burst: NonZeroU32) -> Self {
        let buckets = NonZeroU32::new(rate).map(|rate| {
            let quota = Quota::per_second(rate).burst(burst);
            Mutex::new(Box::new(TenantLimiter::new(quota)))
        });
        Self { shared: None, buckets, start: Instant::now() }
    }

    /// The same for all instances that share a Redis. Where it fails, each has its own buckets.
    pub fn shared(rate: u32, burst: NonZeroU32, redis: Option<ConnectionManager>) -> Self {
        let shared = NonZeroU32::new(rate)
            .zip(redis)
            .map(|(rate, connection)| SharedLimit::new(connection, rate, burst));
        Self { shared, ..Self::new(rate, burst) }
    }

    /// Takes a token of the current tenant's: how many seconds to wait, where there is none. Where there is no
    /// tenant, nothing is done for one.
    async fn take(&self) -> Result<(), u64> {
        let Some(tenant) = TenantContext::get_optional() else { return Ok(()) };
        let shared = match &self.shared {
            Some(shared) => shared.take(tenant).await,
            None => None,
        };
        match shared {
            Some(0) => Ok(()),
            Some(microseconds) => Err(microseconds.div_ceil(1_000_000)),
            None => self.take_own(tenant),
        }
    }

    fn take_own(&self, tenant: TenantId) -> Result<(), u64> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        let taken = buckets.lock().unwrap_or_else(PoisonError::into_inner).take(tenant, self.start.elapsed());
        taken.map_err(|error| error.retry_after_seconds())
    }
}

/// Refuses what is over the tenant's limit, and says when to come again.
pub async fn limit(State(limit): State<Arc<RateLimit>>, request: Request, next: Next) -> Response {
    match limit.take().await {
        Ok(()) => next.run(request).await,
        Err(seconds) => ([(RETRY_AFTER, HeaderValue::from(seconds))], Refusal::RateLimited).into_response(),
    }
}
