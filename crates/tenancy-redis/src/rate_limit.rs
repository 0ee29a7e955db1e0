//! A rate limit of one tenant, across all processes.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{ConnectionLike, RedisResult, Script};

use crate::client::TenantRedis;
use crate::internal_script::Call;

/// A limit of how often a tenant may do something, counted in Redis for all processes (GCRA, a token bucket).
///
/// Tenants and [namespaces](TenantRedis::namespace) have buckets of their own. A bucket is a key `rate_limit:` and the
/// name, which expires when the bucket is full, so its handle needs no [`TrustedScripts`](crate::TrustedScripts). The time
/// is that of the server. For a limit within one process use [`tenancy::TenantLimiter`].
///
/// ```no_run
/// use std::num::NonZeroU32;
/// use tenancy_redis::TenantRedis;
/// use tenancy_redis::rate_limit::RateLimit;
///
/// # fn example(connection: redis::Connection, tenant: tenancy::TenantId) -> redis::RedisResult<()> {
/// const HUNDRED: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// let mut redis = TenantRedis::new(connection, tenant);
/// let limit = RateLimit::per_second("emails", HUNDRED);
/// let decision = limit.check(&mut redis)?;
/// if let Some(wait) = decision.retry_after() {
///     println!("try again in {wait:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct RateLimit {
    name: Vec<u8>,
    /// The microseconds after which the bucket gets a token.
    interval: f64,
    burst: NonZeroU32,
}

impl RateLimit {
    /// The shortest interval: a million tokens per second.
    const MIN_INTERVAL: f64 = 1.0;

    /// The longest interval, so that times stay exact numbers for the server.
    const MAX_INTERVAL: Duration = Duration::from_secs(366 * 86_400);

    /// The longest time in which an empty bucket is full again, in microseconds: a century.
    const MAX_FILL: f64 = 100.0 * 366.0 * 86_400.0 * 1e6;

    /// Allows this many tokens per second, and as many at once. At most a million per second.
    pub fn per_second(name: impl Into<Vec<u8>>, tokens: NonZeroU32) -> Self {
        Self::new(name.into(), 1e6 / f64::from(tokens.get()), tokens)
    }

    /// Allows one token per `interval`, one at once. The shortest interval is a microsecond, and the longest a year.
    pub fn one_each(name: impl Into<Vec<u8>>, interval: Duration) -> Self {
        Self::new(name.into(), interval.min(Self::MAX_INTERVAL).as_secs_f64() * 1e6, NonZeroU32::MIN)
    }

    fn new(name: Vec<u8>, interval: f64, burst: NonZeroU32) -> Self {
        Self { name, interval: interval.max(Self::MIN_INTERVAL), burst }
    }

    /// Sets how many tokens may be taken at once.
    ///
    /// An empty bucket is full again after this many intervals, and after a century at the latest.
    #[must_use]
    pub fn burst(self, tokens: NonZeroU32) -> Self {
        Self { burst: tokens, ..self }
    }

    /// Takes a token if there is one.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The token may be taken then.
    pub fn check<C: ConnectionLike>(&self, redis: &mut TenantRedis<C>) -> RedisResult<Decision> {
        self.check_cost(redis, 1)
    }

    /// Takes several tokens, or none if there are fewer. A cost of 0 only looks.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_cost<C: ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
        cost: u32,
    ) -> RedisResult<Decision> {
        Ok(self.decide(cost, self.take(redis, cost).run(redis)?))
    }

    /// [`check`](Self::check) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    #[cfg(feature = "tokio")]
    pub async fn check_async<C: redis::aio::ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
    ) -> RedisResult<Decision> {
        self.check_cost_async(redis, 1).await
    }

    /// [`check_cost`](Self::check_cost) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    #[cfg(feature = "tokio")]
    pub async fn check_cost_async<C: redis::aio::ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
        cost: u32,
    ) -> RedisResult<Decision> {
        Ok(self.decide(cost, self.take(redis, cost).run_async(redis).await?))
    }

    fn take<C>(&self, redis: &TenantRedis<C>, cost: u32) -> Call<'static> {
        static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rate_limit/take.lua")));
        let interval = self.interval.min(Self::MAX_FILL / f64::from(self.burst.get()));
        let call = Call::new(&TAKE, redis, "rate_limit", &self.name);
        call.arg(interval).arg(self.burst.get()).arg(cost)
    }

    fn decide(&self, cost: u32, (allowed, remaining, retry, reset): (bool, u32, u64, u64)) -> Decision {
        let fits = cost <= self.burst.get();
        Decision {
            allowed,
            remaining,
            retry_after: (!allowed && fits).then(|| Duration::from_micros(retry)),
            reset_after: Duration::from_micros(reset),
        }
    }
}

/// Shows the limit. A name may be a customer's data.
impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RateLimit");
        shown.field("interval_us", &self.interval).field("burst", &self.burst).finish_non_exhaustive()
    }
}

/// The answer of a [`RateLimit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a decision that is ignored limits nothing"]
pub struct Decision {
    allowed: bool,
    remaining: u32,
    retry_after: Option<Duration>,
    reset_after: Duration,
}

impl Decision {
    /// Returns whether the tokens were taken.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Returns how many tokens are left.
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Returns how long to wait until there are enough tokens, for the header `Retry-After`.
    ///
    /// It is `None` if the tokens were taken, and if the cost is higher than the burst, so that waiting does not help.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns how long it takes until the bucket is full.
    pub const fn reset_after(&self) -> Duration {
        self.reset_after
    }
}
