//! A token bucket for each tenant.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use super::TenantMap;
use crate::TenantId;

/// A rate limit: the number of tokens per second, and the largest burst.
///
/// ```
/// use core::num::NonZeroU32;
/// use tenancy::Quota;
///
/// let quota = Quota::per_second(NonZeroU32::new(100).unwrap()).burst(NonZeroU32::new(10).unwrap());
/// # let _ = quota;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The nanoseconds between two tokens.
    interval: u64,
    burst: NonZeroU32,
}

impl Quota {
    /// Permits this number of tokens per second, and the same number at once. The maximum is 1,000,000,000.
    pub const fn per_second(tokens: NonZeroU32) -> Self {
        Self::one_each(Duration::from_nanos(1_000_000_000 / tokens.get() as u64)).burst(tokens)
    }

    /// Permits one token per `interval`, and a burst of one. An interval of zero counts as a nanosecond.
    pub const fn one_each(interval: Duration) -> Self {
        let nanoseconds = nanoseconds(interval);
        Self { interval: if nanoseconds == 0 { 1 } else { nanoseconds }, burst: NonZeroU32::MIN }
    }

    /// Sets the largest number of tokens at once.
    #[must_use]
    pub const fn burst(self, tokens: NonZeroU32) -> Self {
        Self { burst: tokens, ..self }
    }

    /// Returns the nanoseconds in which an empty bucket fills.
    const fn fill_time(self) -> u64 {
        at_most(LONGEST, self.interval.saturating_mul(self.burst.get() as u64))
    }

    /// Takes a token out of the bucket that is full at `full_at`, or returns the time of the next token.
    fn take(self, full_at: &mut u64, now: u64) -> Result<(), u64> {
        self.settle(full_at, now);
        let after = (*full_at).max(now) + self.interval;
        if after > now + self.fill_time() {
            return Err(after - self.fill_time());
        }
        *full_at = after;
        Ok(())
    }

    /// Corrects a bucket after the clock went back. If it is full later than a whole fill time from now, it counts as empty.
    /// A smaller step back is waited out, so that a clock that varies adds no tokens.
    const fn settle(self, full_at: &mut u64, now: u64) {
        let empty = now + self.fill_time();
        if *full_at + self.interval > empty + self.fill_time() {
            *full_at = empty;
        }
    }
}

/// The longest time, 146 years. The sum of four such times does not overflow; a sum that saturates would permit
/// everything.
const LONGEST: u64 = u64::MAX / 4;

const fn nanoseconds(time: Duration) -> u64 {
    at_most(LONGEST, time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos() as u64))
}

const fn at_most(most: u64, number: u64) -> u64 {
    if number < most { number } else { most }
}

/// A token bucket for each of up to `N` tenants, on a clock that the caller provides.
///
/// A bucket is one number, the time at which it is full (the generic cell rate algorithm, ITU-T I.371). A tenant takes 32
/// bytes including its id. A new tenant starts with a full bucket. If there are `N` tenants, a new one replaces a tenant
/// whose bucket is full, which has no effect on that tenant. If no bucket is full, the new tenant is rejected, so that no
/// tenant is unlimited.
///
/// The clock is the time since any fixed moment. If it goes back, no tenant gets more tokens. A tenant waits at most the
/// time in which an empty bucket fills, and a new tenant at most twice that time.
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use tenancy::{Quota, TenantId, TenantLimiter};
///
/// let mut limiter = TenantLimiter::<64>::new(Quota::per_second(NonZeroU32::new(2).unwrap()));
/// let now = Duration::from_secs(1);
/// assert!(limiter.take(TenantId::PLATFORM, now).is_ok());
/// assert!(limiter.take(TenantId::PLATFORM, now).is_ok());
/// let error = limiter.take(TenantId::PLATFORM, now).unwrap_err();
/// assert_eq!(error.retry_after(), Duration::from_millis(500));
/// ```
#[derive(Clone, Debug)]
pub struct TenantLimiter<const N: usize> {
    /// The time at which each bucket is full.
    full_at: TenantMap<u64, N>,
    quota: Quota,
}

/// The tenant has no token left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimitedError {
    tenant: TenantId,
    retry_after: Duration,
}

impl<const N: usize> TenantLimiter<N> {
    /// Creates a limiter in which each tenant has a full bucket.
    pub const fn new(quota: Quota) -> Self {
        Self { full_at: TenantMap::new(), quota }
    }

    /// Takes a token out of the tenant's bucket.
    ///
    /// # Errors
    ///
    /// Returns [`RateLimitedError`] with the time until the next token, if the bucket is empty. No token is taken then.
    pub fn take(&mut self, tenant: TenantId, now: Duration) -> Result<(), RateLimitedError> {
        let now = nanoseconds(now);
        let taken = match self.full_at.get_mut(tenant) {
            Some(full_at) => self.quota.take(full_at, now),
            None => self.admit(tenant, now),
        };
        taken.map_err(|until| {
            let retry_after = Duration::from_nanos(until.saturating_sub(now));
            RateLimitedError { tenant, retry_after }
        })
    }

    /// Adds a bucket for a new tenant and takes a token, or returns the time at which there may be a free place.
    fn admit(&mut self, tenant: TenantId, now: u64) -> Result<(), u64> {
        if self.full_at.len() == N && !self.full_at.evict(|full_at| *full_at <= now) {
            self.full_at.all_mut().for_each(|full_at| self.quota.settle(full_at, now));
            return Err(self.full_at.all().copied().min().unwrap_or(u64::MAX));
        }
        match self.full_at.insert(tenant, now + self.quota.interval) {
            Ok(_) => Ok(()),
            // Unreachable: there was a free place.
            Err(_) => Err(u64::MAX),
        }
    }
}

impl RateLimitedError {
    /// Returns the tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns the time until the next token.
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// Returns the time until the next token in seconds, rounded up and at least one, for the header `Retry-After`
    /// (RFC 9110, section 10.2.3).
    pub const fn retry_after_seconds(&self) -> u64 {
        let whole = self.retry_after.as_secs();
        if self.retry_after.subsec_nanos() > 0 || whole == 0 { whole + 1 } else { whole }
    }
}

impl fmt::Display for RateLimitedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {} is over its limit: try again in {} s", self.tenant, self.retry_after_seconds())
    }
}

impl core::error::Error for RateLimitedError {}
