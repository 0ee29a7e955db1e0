//! A lock that is held.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use redis::{ConnectionLike, RedisResult, Script};

use crate::client::TenantRedis;
use crate::internal_script::Call;
use crate::policy::milliseconds;

/// What the keys of locks begin with, after the prefix of the tenant.
pub(super) const KIND: &str = "lock";

/// A lock that is held until it is released or expires.
///
/// A lease that is dropped stays until it expires, because a drop cannot wait for a server.
#[must_use = "a lease that is dropped stays until it expires"]
pub struct Lease {
    /// The lock's name.
    name: Vec<u8>,
    ttl: Duration,
    owner: [u8; 16],
    token: u64,
    expires: Instant,
}

impl Lease {
    pub(super) fn new(name: Vec<u8>, ttl: Duration, owner: [u8; 16], token: u64, started: Instant) -> Self {
        Self { name, ttl, owner, token, expires: started + ttl }
    }

    /// Returns the fencing token: it is higher than that of every earlier lease of the lock.
    ///
    /// It is the server's time in microseconds, or one more than the last token if that is higher. So tokens also increase
    /// after the key was removed, and after a failover, as long as the clocks of the servers agree.
    pub const fn token(&self) -> u64 {
        self.token
    }

    /// Returns the time until the lease expires, by the clock of this process: zero if it has expired.
    pub fn remaining(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }

    /// Extends the lease: it expires a whole time to live from now. Returns whether it was still held.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The lease may be extended then.
    pub fn extend<C: ConnectionLike>(&mut self, redis: &mut TenantRedis<C>) -> RedisResult<bool> {
        let started = Instant::now();
        let held = self.extending(redis).run(redis)?;
        Ok(self.extended(held, started))
    }

    /// Releases the lock. Returns whether it was still held.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The lock may be held then, until it expires.
    pub fn release<C: ConnectionLike>(self, redis: &mut TenantRedis<C>) -> RedisResult<bool> {
        self.releasing(redis).run(redis)
    }

    /// [`extend`](Self::extend) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`extend`](Self::extend).
    #[cfg(feature = "tokio")]
    pub async fn extend_async<C: redis::aio::ConnectionLike>(
        &mut self,
        redis: &mut TenantRedis<C>,
    ) -> RedisResult<bool> {
        let started = Instant::now();
        let held = self.extending(redis).run_async(redis).await?;
        Ok(self.extended(held, started))
    }

    /// [`release`](Self::release) on an async connection.
    ///
    /// # Errors
    ///
    /// As [`release`](Self::release).
    #[cfg(feature = "tokio")]
    pub async fn release_async<C: redis::aio::ConnectionLike>(
        self,
        redis: &mut TenantRedis<C>,
    ) -> RedisResult<bool> {
        self.releasing(redis).run_async(redis).await
    }

    fn extending<C>(&self, redis: &TenantRedis<C>) -> Call<'static> {
        static EXTEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("extend.lua")));
        let call = Call::new(&EXTEND, redis, KIND, &self.name);
        call.arg(&self.owner).arg(microseconds(self.ttl))
    }

    fn extended(&mut self, held: bool, started: Instant) -> bool {
        // A lease that was lost stays lost.
        self.expires = if held { started + self.ttl } else { started };
        held
    }

    fn releasing<C>(&self, redis: &TenantRedis<C>) -> Call<'static> {
        static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));
        Call::new(&RELEASE, redis, KIND, &self.name).arg(&self.owner)
    }
}

/// Returns a time to live as the scripts expect it.
pub(super) fn microseconds(ttl: Duration) -> u64 {
    milliseconds(ttl) * 1000
}

/// Shows the token. The owner's secret is not shown.
impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("token", &self.token).finish_non_exhaustive()
    }
}
