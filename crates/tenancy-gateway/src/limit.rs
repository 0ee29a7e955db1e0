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
use tenancy::{Quota, TenantContext, TenantLimiter};
use tenancy_tower::Rejection;

use crate::places::Places;
use crate::shared::SharedRedis;
use crate::tenants::MOST_TENANTS;

pub use shared::SharedLimit;

/// The requests of a tenant that are in work at once.
const AT_ONCE: usize = 64;

/// A bucket for each tenant.
#[derive(Debug)]
pub struct RateLimit {
    /// None where there is no limit.
    buckets: Option<Mutex<Box<TenantLimiter<MOST_TENANTS>>>>,
    /// Those of all instances. Where they can't be asked, this one's own are there still.
    shared: Option<SharedLimit<SharedRedis>>,
    start: Instant,
    /// What requests hold until they are answered, their bodies for one, is not for one tenant to fill.
    places: Places,
}

impl RateLimit {
    /// So many requests a second of each tenant, and so many at once; a rate of 0 is no limit.
    pub fn new(rate: u32, burst: NonZeroU32) -> Self {
        let buckets = NonZeroU32::new(rate).map(|rate| {
            let quota = Quota::per_second(rate).burst(burst);
            Mutex::new(Box::new(TenantLimiter::new(quota)))
        });
        Self { buckets, shared: None, start: Instant::now(), places: Places::new(AT_ONCE) }
    }

    /// The same for all instances together. While Redis fails, each one has it by itself.
    pub fn shared(rate: u32, burst: NonZeroU32, redis: SharedRedis) -> Self {
        let shared = NonZeroU32::new(rate).map(|rate| SharedLimit::new(rate, burst, redis));
        Self { shared, ..Self::new(rate, burst) }
    }

    /// Takes a token of the current tenant's, or tells in how many seconds there is one. Where there is no tenant,
    /// nothing is done for one.
    async fn take(&self) -> Result<(), u64> {
        let (Some(buckets), Some(tenant)) = (&self.buckets, TenantContext::get_optional()) else {
            return Ok(());
        };
        // Boxed, so that who has no Redis carries no future for it.
        if let Some(shared) = &self.shared
            && let Ok(taken) = Box::pin(shared.take(tenant)).await
        {
            return taken.map_err(|nanoseconds| nanoseconds.div_ceil(1_000_000_000));
        }
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(tenant, self.start.elapsed()).map_err(|error| error.retry_after_seconds())
    }
}

/// Refuses what is over the tenant's limit, and says when to come again. What is within it, and more than a tenant has
/// at once, waits: nothing of its body is read before.
pub async fn limit(State(limit): State<Arc<RateLimit>>, request: Request, next: Next) -> Response {
    match limit.take().await {
        Ok(()) => {
            let _place = match TenantContext::get_optional() {
                Some(tenant) => limit.places.take(tenant).await,
                None => None,
            };
            next.run(request).await
        }
        Err(seconds) => ([(RETRY_AFTER, HeaderValue::from(seconds))], Rejection::RateLimited).into_response(),
    }
}
