//! How much a tenant may ask, so that it takes nothing from the others.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tenancy::{Quota, RateLimitedError, TenantContext, TenantLimiter};
use tenancy_tower::Refusal;

use crate::tenants::MOST_TENANTS;

/// A bucket for each tenant.
#[derive(Debug)]
pub struct RateLimit {
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
        Self { buckets, start: Instant::now() }
    }

    /// Takes a token of the current tenant's. Where there is no tenant, nothing is done for one.
    fn take(&self) -> Result<(), RateLimitedError> {
        let (Some(buckets), Some(tenant)) = (&self.buckets, TenantContext::get_optional()) else {
            return Ok(());
        };
        buckets.lock().unwrap_or_else(PoisonError::into_inner).take(tenant, self.start.elapsed())
    }
}

/// Refuses what is over the tenant's limit, and says when to come again.
pub async fn limit(State(limit): State<Arc<RateLimit>>, request: Request, next: Next) -> Response {
    match limit.take() {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let seconds = HeaderValue::from(error.retry_after_seconds());
            ([(RETRY_AFTER, seconds)], Refusal::RateLimited).into_response()
        }
    }
}
