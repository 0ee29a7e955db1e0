//! One key of one tenant, on the server.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{AsyncCommands, RedisError, RedisResult, SetExpiry, SetOptions};

use super::flights::Id;
use super::lifetime::Lifetime;
use crate::client::TenantRedis;
use crate::refusal::Refusal;
use crate::refused::refusal;

pub(super) struct Place<'c, C> {
    pub(super) redis: TenantRedis<C>,
    pub(super) id: Id,
    pub(super) timeout: Duration,
    pub(super) failures: &'c AtomicU64,
}

pub(super) enum Read {
    Bytes(Vec<u8>),
    Nothing,
    Failed,
}

impl<C: ConnectionLike + Send + Sync> Place<'_, C> {
    pub(super) async fn read(&mut self) -> Result<Read, Refusal> {
        let Self { redis, id, timeout, failures } = self;
        let read = async {
            match redis.get(&*id.1).await {
                // What is no string is none of the cache's, and is overwritten.
                Err(error) if RedisError::code(&error) == Some("WRONGTYPE") => Ok(None),
                read => read,
            }
        };
        Ok(match forgive(in_time(read, *timeout, failures).await)? {
            Some(Some(bytes)) => Read::Bytes(bytes),
            Some(None) => Read::Nothing,
            None => Read::Failed,
        })
    }

    pub(super) async fn store(&mut self, bytes: &[u8], lifetime: Lifetime) -> RedisResult<()> {
        let options = SetOptions::default().with_expiration(SetExpiry::PX(lifetime.milliseconds()));
        let stored = self.redis.set_options(&*self.id.1, bytes, options);
        in_time(stored, self.timeout, self.failures).await
    }

    pub(super) async fn remove(&mut self) -> RedisResult<()> {
        in_time(self.redis.unlink(&*self.id.1), self.timeout, self.failures).await
    }
}

async fn in_time<V>(
    call: impl Future<Output = RedisResult<V>>,
    timeout: Duration,
    failures: &AtomicU64,
) -> RedisResult<V> {
    let reply = tokio::time::timeout(timeout, call).await;
    let reply = reply.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
    if reply.as_ref().is_err_and(|error| refusal(error).is_none()) {
        failures.fetch_add(1, Ordering::Relaxed);
    }
    reply
}

/// Nothing where Redis failed. What was refused stays an error.
pub(super) fn forgive<V>(reply: RedisResult<V>) -> Result<Option<V>, Refusal> {
    reply.map(Some).or_else(|error| refusal(&error).map_or(Ok(None), Err))
}
