//! Scripts of this crate, which use only the key that they are given.

use redis::{FromRedisValue, RedisResult, Script, ScriptInvocation};

use crate::client::TenantRedis;
use crate::errors::strip;

/// The call of a script with one key and arguments.
pub(crate) struct Call<'s> {
    invocation: ScriptInvocation<'s>,
}

impl<'s> Call<'s> {
    /// Prepares the script for a key of the tenant: its prefix, a fixed `kind`, and a name.
    pub(crate) fn new<C>(script: &'s Script, redis: &TenantRedis<C>, kind: &str, name: &[u8]) -> Self {
        let key = [redis.scope.prefix.as_bytes(), kind.as_bytes(), b":", name].concat();
        Self { invocation: script.key(key) }
    }

    pub(crate) fn arg(mut self, argument: impl redis::ToRedisArgs) -> Self {
        self.invocation.arg(argument);
        self
    }

    /// Runs the script, without the check of the tenant's trusted scripts.
    pub(crate) fn run<C, T>(self, redis: &mut TenantRedis<C>) -> RedisResult<T>
    where
        C: redis::ConnectionLike,
        T: FromRedisValue,
    {
        let reply = self.invocation.invoke(&mut redis.connection);
        reply.map_err(|error| strip(error, &redis.scope.prefix))
    }

    /// [`run`](Self::run) on an async connection.
    #[cfg(feature = "tokio")]
    pub(crate) async fn run_async<C, T>(self, redis: &mut TenantRedis<C>) -> RedisResult<T>
    where
        C: redis::aio::ConnectionLike,
        T: FromRedisValue,
    {
        let reply = self.invocation.invoke_async(&mut redis.connection).await;
        reply.map_err(|error| strip(error, &redis.scope.prefix))
    }
}
