//! A token bucket for each tenant.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use super::TenantMap;
use crate::TenantId;

/// How much a tenant may do: so much a second, and so much at once.
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
    /// Nanoseconds after which the next token comes.
    interval: u64,
    burst: NonZeroU32,
}

impl Quota {
    /// So many tokens a second, and as many at once. More than 1,000,000,000 is as much as that.
    pub const fn per_second(tokens: NonZeroU32) -> Self {
        Self::one_each(Duration::from_nanos(1_000_000_000 / tokens.get() as u64)).burst(tokens)
    }

    /// A token each `interval`, one at once. No interval at all is a nanosecond.
    pub const fn one_each(interval: Duration) -> Self {
        let nanoseconds = nanoseconds(interval);
        Self { interval: if nanoseconds == 0 { 1 } else { nanoseconds }, burst: NonZeroU32::MIN }
    }

    /// The most tokens at once.
    #[must_use]
    pub const fn burst(self, tokens: NonZeroU32) -> Self {
        Self { burst: tokens, ..self }
    }

    /// How long an empty bucket takes to fill.
    const fn fill_time(self) -> u64 {
        at_most(LONGEST, self.interval.saturating_mul(self.burst.get() as u64))
    }

    /// Takes a token out of the bucket that will be full at that time, or gives the time of the next one.
    fn take(self, full_at: &mut u64, now: u64) -> Result<(), u64> {
        self.settle(full_at, now);
        let after = (*full_at).max(now) + self.interval;
        if after > now + self.fill_time() {
            return Err(after - self.fill_time());
        }
        *full_at = after;
        Ok(())
    }

    /// A bucket with a wait of more than its fill time is left from before the clock went back: it is empty.
    /// Any less is waited out, so that a clock that wavers gives no tokens.
    const fn settle(self, full_at: &mut u64, now: u64) {
        let empty = now + self.fill_time();
        if *full_at + self.interval > empty + self.fill_time() {
            *full_at = empty;
        }
    }
}

/// 146 years are as good as any longer time, and the sum of four of them is still a number: one that
/// saturated would let everything through.
const LONGEST: u64 = u64::MAX / 4;

const fn nanoseconds(time: Duration) -> u64 {
    at_most(LONGEST, time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos() as u64))
}

const fn at_most(most: u64, number: u64) -> u64 {
    if number < most { number } else { most }
}

/// A token bucket for each of up to `N` tenants, on a clock that the caller gives.
///
/// A bucket is one number, the time at which it will be full: the generic cell rate algorithm (ITU-T
/// I.371), 32 bytes a tenant with its id. A tenant that was not seen before has a full bucket; where all
/// places are taken, it gets that of a tenant whose bucket is full again, which loses nothing by it. Where
/// none is, it is refused: no tenant gets in unlimited.
///
/// The clock is the time since any fixed moment. Where it goes back, nobody gets more, and a tenant waits for
/// at most the time in which an empty bucket fills; for a place, at most twice that.
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
    /// When each bucket is full.
    full_at: TenantMap<u64, N>,
    quota: Quota,
}

/// The tenant has used up what it may do for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimitedError {
    tenant: TenantId,
    retry_after: Duration,
}

impl<const N: usize> TenantLimiter<N> {
    /// Full buckets for all.
    pub const fn new(quota: Quota) -> Self {
        Self { full_at: TenantMap::new(), quota }
    }

    /// Takes a token out of the tenant's bucket.
    ///
    /// # Errors
    ///
    /// [`RateLimitedError`] where there is none, and when there will be one. Nothing is taken then.
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

    /// A bucket for a tenant that has none, less a token, or the time at which there may be a place for it.
    fn admit(&mut self, tenant: TenantId, now: u64) -> Result<(), u64> {
        if self.full_at.len() == N && !self.full_at.evict(|full_at| *full_at <= now) {
            self.full_at.all_mut().for_each(|full_at| self.quota.settle(full_at, now));
            return Err(self.full_at.all().copied().min().unwrap_or(u64::MAX));
        }
        match self.full_at.insert(tenant, now + self.quota.interval) {
            Ok(_) => Ok(()),
            // Not here: there was a place.
            Err(_) => Err(u64::MAX),
        }
    }
}

impl RateLimitedError {
    /// The tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// How long it is until the next token.
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// The same in whole seconds, at least one: for the header `Retry-After` (RFC 9110, section 10.2.3).
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
