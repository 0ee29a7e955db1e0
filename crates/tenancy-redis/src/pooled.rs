//! Connections that a pool lends.

use std::fmt;
use std::ops::DerefMut;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, Value};

/// A guard of a pool, or a `&mut` reference, as an async connection.
///
/// redis-rs implements its async `ConnectionLike` only for connections themselves. Use this wrapper for the guards of bb8
/// and for `&mut` references, in [`TenantRedis`](crate::TenantRedis) and in `TenantAcl::checkout_async`. Sync connections
/// do not need it: a guard of r2d2, and `&mut Connection`, are connections for redis-rs. Nor does
/// `deadpool_redis::Connection`, which implements the trait.
///
/// `flush_tenant` and `usage` need a guard without borrowed data. In a cluster they need the `ClusterConnection` itself.
///
/// ```no_run
/// use redis::AsyncCommands;
/// use redis::aio::MultiplexedConnection;
/// use tenancy_redis::{Pooled, TenantRedis};
///
/// # async fn example(
/// #     mut connection: MultiplexedConnection,
/// #     tenant: tenancy::TenantId,
/// # ) -> redis::RedisResult<()> {
/// // `Pooled(pool.get().await?)` with bb8.
/// let mut redis = TenantRedis::new(Pooled(&mut connection), tenant);
/// let () = redis.set("greeting", "hello").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Pooled<G>(pub G);

impl<G> ConnectionLike for Pooled<G>
where
    G: DerefMut<Target: ConnectionLike + Send> + Send + Sync,
{
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

/// Shows nothing of the guard: it may show an address.
impl<G> fmt::Debug for Pooled<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").finish_non_exhaustive()
    }
}
