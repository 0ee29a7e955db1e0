//! Rate limits that instances share.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;

use redis::aio::ConnectionLike;
use redis::{RedisResult, Script};
use tenancy::TenantId;
use tenancy_redis::{TenantRedis, TrustedScripts};

const TAKE: &str = include_str!("gcra.lua");
static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([TAKE]));

const SECOND: u64 = 1_000_000_000;

/// A bucket for each tenant, stored at a key of the tenant. The key expires when the bucket is full.
///
/// The results are those of [`TenantLimiter`](tenancy::TenantLimiter), by the clock of the server.
pub struct SharedLimit<C> {
    connection: C,
    take: Script,
    /// Nanoseconds until the next token, and until an empty bucket is full.
    interval: u64,
    fill_time: u64,
}

impl<C: ConnectionLike + Clone + Send> SharedLimit<C> {
    /// Creates a limit of requests per second and of the size of a burst.
    pub fn new(rate: NonZeroU32, burst: NonZeroU32, connection: C) -> Self {
        let interval = (SECOND / u64::from(rate.get())).max(1);
        let fill_time = interval * u64::from(burst.get());
        Self { connection, take: Script::new(TAKE), interval, fill_time }
    }

    /// Takes a token of a tenant, or returns the number of nanoseconds until there is one.
    ///
    /// # Errors
    ///
    /// If Redis fails. The token may have been taken.
    pub async fn take(&self, tenant: TenantId) -> RedisResult<Result<(), u64>> {
        let redis = TenantRedis::new(self.connection.clone(), tenant);
        let mut redis = redis.namespace("limit").scripts(&SCRIPTS);
        let mut take = self.take.key("requests");
        let wait = take.arg(self.interval).arg(self.fill_time).invoke_async(&mut redis).await?;
        Ok(if wait == 0 { Ok(()) } else { Err(wait) })
    }
}

/// Does not show the connection.
impl<C> fmt::Debug for SharedLimit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimit")
            .field("interval", &self.interval)
            .field("fill_time", &self.fill_time)
            .finish_non_exhaustive()
    }
}
