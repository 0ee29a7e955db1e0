//! The same limit for all instances: a bucket for each tenant, in Redis.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::Script;
use redis::aio::ConnectionManager;
use tenancy::TenantId;
use tenancy_redis::{TenantRedis, TrustedScripts};
use tokio::time::timeout;

use crate::redis::TIMEOUT;

/// The generic cell rate algorithm, by the server's clock, in microseconds: how long to wait, or 0.
///
/// The bucket is the time at which it would be full again. One that is further off than it can be comes from a clock
/// that went back.
const TAKE: &str = r"
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local interval, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
    local full = math.min(tonumber(redis.call('GET', KEYS[1]) or now), now + depth)
    local next = math.max(full, now) + interval
    if next - now > depth then
        return next - now - depth
    end
    redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
    return 0";

static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([TAKE]));

/// Buckets in Redis.
pub(super) struct SharedLimit {
    connection: ConnectionManager,
    script: Script,
    /// Microseconds between two requests at the rate, and as many as the burst has of them.
    interval: u64,
    depth: u64,
    /// Whether Redis answered when it was last asked.
    is_up: AtomicBool,
}

impl SharedLimit {
    /// So many requests a second of each tenant, and so many at once.
    pub(super) fn new(connection: ConnectionManager, rate: NonZeroU32, burst: NonZeroU32) -> Self {
        // Not 0, which would be no limit, for a rate of more than a million.
        let interval = (1_000_000 / u64::from(rate.get())).max(1);
        let depth = interval * u64::from(burst.get());
        Self { connection, script: Script::new(TAKE), interval, depth, is_up: AtomicBool::new(true) }
    }

    /// Takes a token of a tenant's: how many microseconds to wait for it, which may be none. `None`: Redis does not
    /// say.
    pub(super) async fn take(&self, tenant: TenantId) -> Option<u64> {
        let mut redis =
            TenantRedis::new(self.connection.clone(), tenant).namespace("limit").scripts(&SCRIPTS);
        let mut call = self.script.prepare_invoke();
        call.key("requests").arg(self.interval).arg(self.depth);
        let wait = timeout(TIMEOUT, call.invoke_async(&mut redis)).await;
        let problem = match &wait {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        self.tell(problem);
        wait.ok()?.ok()
    }

    /// Once, when it changes.
    fn tell(&self, problem: Option<String>) {
        let was_up = self.is_up.swap(problem.is_none(), Ordering::Relaxed);
        match problem {
            Some(problem) if was_up => {
                tracing::warn!(problem, "Redis fails: each instance limits tenants by itself");
            }
            None if !was_up => tracing::info!("Redis answers: limits are shared again"),
            _ => {}
        }
    }
}

impl fmt::Debug for SharedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimit")
            .field("interval", &self.interval)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
