//! A distributed lock of one tenant.

mod lease;

use std::fmt;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use redis::{ConnectionLike, RedisResult, Script};

pub use self::lease::Lease;
use self::lease::{KIND, microseconds};
use crate::client::TenantRedis;
use crate::internal_script::Call;
use crate::policy::milliseconds;

/// A lock that one process of a tenant holds at a time, until it is released or expires.
///
/// Tenants and [namespaces](TenantRedis::namespace) have locks of their own: the same name is another lock for each. The
/// lock is a key `lock:` and the name, so its handle needs no [`TrustedScripts`](crate::TrustedScripts).
///
/// A lock in Redis cannot prevent that a process that was paused continues after its lease expired. Send the
/// [fencing token](Lease::token) with each write to the resource, and let the resource reject a token that is lower than
/// one that it has seen: the token of a later lease is always higher.
///
/// ```no_run
/// use std::time::Duration;
/// use tenancy_redis::TenantRedis;
/// use tenancy_redis::lock::TenantLock;
///
/// # fn write_invoices(fencing_token: u64) {}
/// # fn example(connection: redis::Connection, tenant: tenancy::TenantId) -> redis::RedisResult<()> {
/// let mut redis = TenantRedis::new(connection, tenant);
/// let lock = TenantLock::new("invoices", Duration::from_secs(30));
/// if let Some(lease) = lock.acquire(&mut redis, Duration::from_secs(5))? {
///     write_invoices(lease.token());
///     lease.release(&mut redis)?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// The lock is held by one server. After a failover to a replica that has not received the lease, another process can
/// acquire the lock.
#[derive(Clone, PartialEq, Eq)]
pub struct TenantLock {
    name: Vec<u8>,
    ttl: Duration,
}

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

impl TenantLock {
    /// Describes the lock of a name, whose leases expire after `ttl`.
    ///
    /// A `ttl` below a millisecond is a millisecond, and one above a century is a century.
    pub fn new(name: impl Into<Vec<u8>>, ttl: Duration) -> Self {
        Self { name: name.into(), ttl: Duration::from_millis(milliseconds(ttl)) }
    }

    /// Acquires the lock if it is free, or returns `None`.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The lock may be held then, until it expires.
    pub fn try_acquire<C: ConnectionLike>(&self, redis: &mut TenantRedis<C>) -> RedisResult<Option<Lease>> {
        let attempt = Attempt::new()?;
        Ok(attempt.lease(self, attempt.call(self, redis).run(redis)?).ok())
    }

    /// Acquires the lock, and waits for it at most this long. Returns `None` if it was not free in time.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The lock may be held then, until it expires.
    pub fn acquire<C: ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
        wait: Duration,
    ) -> RedisResult<Option<Lease>> {
        let started = Instant::now();
        loop {
            let attempt = Attempt::new()?;
            match attempt.lease(self, attempt.call(self, redis).run(redis)?) {
                Ok(lease) => return Ok(Some(lease)),
                Err(free_in) => match pause(free_in, wait, started.elapsed()) {
                    Some(pause) => thread::sleep(pause),
                    None => return Ok(None),
                },
            }
        }
    }

    /// [`try_acquire`](Self::try_acquire) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    #[cfg(feature = "tokio")]
    pub async fn try_acquire_async<C: redis::aio::ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
    ) -> RedisResult<Option<Lease>> {
        let attempt = Attempt::new()?;
        Ok(attempt.lease(self, attempt.call(self, redis).run_async(redis).await?).ok())
    }

    /// [`acquire`](Self::acquire) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[cfg(feature = "tokio")]
    pub async fn acquire_async<C: redis::aio::ConnectionLike>(
        &self,
        redis: &mut TenantRedis<C>,
        wait: Duration,
    ) -> RedisResult<Option<Lease>> {
        let started = Instant::now();
        loop {
            let attempt = Attempt::new()?;
            match attempt.lease(self, attempt.call(self, redis).run_async(redis).await?) {
                Ok(lease) => return Ok(Some(lease)),
                Err(free_in) => match pause(free_in, wait, started.elapsed()) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Ok(None),
                },
            }
        }
    }
}

/// Shows the time to live. A name may be a customer's data.
impl fmt::Debug for TenantLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantLock").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// One attempt to acquire a lock.
struct Attempt {
    owner: [u8; 16],
    started: Instant,
}

impl Attempt {
    fn new() -> RedisResult<Self> {
        let mut owner = [0; 16];
        // `getrandom` has errors of its own.
        getrandom::fill(&mut owner).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { owner, started: Instant::now() })
    }

    fn call<C>(&self, lock: &TenantLock, redis: &TenantRedis<C>) -> Call<'static> {
        static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lock/acquire.lua")));
        Call::new(&ACQUIRE, redis, KIND, &lock.name).arg(&self.owner).arg(microseconds(lock.ttl))
    }

    /// Returns the lease, or the time until the lock expires.
    fn lease(&self, lock: &TenantLock, reply: (u64, u64)) -> Result<Lease, Duration> {
        match reply {
            (0, free_in) => Err(Duration::from_micros(free_in)),
            (token, _) => Ok(Lease::new(lock.name.clone(), lock.ttl, self.owner, token, self.started)),
        }
    }
}

/// Returns how long to wait until the next attempt, or `None` if there is no time for another one.
fn pause(free_in: Duration, wait: Duration, waited: Duration) -> Option<Duration> {
    let left = wait.checked_sub(waited).filter(|left| !left.is_zero())?;
    // Waiting processes must not try at the same times.
    let pause = free_in.min(PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
    Some(pause.clamp(Duration::from_millis(1), left.max(Duration::from_millis(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_with_the_wait() {
        let millis = Duration::from_millis;
        assert_eq!(pause(millis(50), millis(100), millis(100)), None);
        assert_eq!(pause(millis(50), millis(0), millis(0)), None);
        for _ in 0..100 {
            let waits = pause(millis(60_000), millis(10_000), millis(0)).expect("time is left");
            assert!((PAUSE / 2..=PAUSE).contains(&waits), "{waits:?}");
            assert!(pause(millis(60_000), millis(100), millis(90)).expect("time is left") <= millis(10));
            assert_eq!(pause(millis(0), millis(100), millis(0)), Some(millis(1)));
        }
    }
}
