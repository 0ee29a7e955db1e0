//! All keys of a tenant, removed.

use redis::aio::ConnectionLike;
use redis::{RedisResult, Value};

use crate::client::TenantRedis;
use crate::nodes::Walk;
use crate::refusal::Refusal;

/// What [`flush_tenant`](TenantRedis::flush_tenant) did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushReport {
    keys: u64,
    masters: usize,
}

impl FlushReport {
    /// How many keys were removed, as the server counted them.
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// How many servers were asked: the masters of a cluster, or one.
    pub const fn masters(&self) -> usize {
        self.masters
    }
}

impl<C: ConnectionLike + Send + 'static> TenantRedis<C> {
    /// Removes the tenant's keys, in the database that is selected; in a [namespace](Self::namespace), those of the
    /// namespace alone.
    ///
    /// It looks at each key of the server, a thousand at a time, whosesoever it is. Others are served meanwhile; the
    /// memory is freed in the background. A [policy](Self::policy) does not limit it.
    ///
    /// In a cluster each master is asked, where the connection is redis's own
    /// `cluster_async::ClusterConnection` and the feature `cluster` is on.
    ///
    /// A key that is written meanwhile may stay, and so may one that moves to another master. Where it matters, let
    /// the tenant write no more, and flush until a report counts no keys:
    ///
    /// ```no_run
    /// # async fn example(
    /// #     connection: redis::aio::MultiplexedConnection,
    /// #     tenant: tenancy::TenantId,
    /// # ) -> redis::RedisResult<()> {
    /// let mut redis = tenancy_redis::TenantRedis::new(connection, tenant);
    /// while redis.flush_tenant().await?.keys() > 0 {}
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the connection and of the servers; [`Refusal::NotPermitted`] on a connection of a tenant's own Redis user,
    /// which may not run `INFO` and `SCAN`: wrap an operator's connection; [`Refusal::Reply`] where a server gives a key that is
    /// another's, which is not removed; and one of the kind `InvalidClientConfig` where the server does not say that
    /// it stands alone: one node of a cluster has a part of the keys. What was removed stays removed, and it can be
    /// called again. Where redis-rs had to send a command twice, the report may count fewer keys than were removed.
    pub async fn flush_tenant(&mut self) -> RedisResult<FlushReport> {
        let mut walk = Walk::begin(&mut self.connection, self.scope.prefix).await?;
        let mut report = FlushReport { keys: 0, masters: walk.masters() };
        while let Some(page) = walk.next().await? {
            for removed in walk.each(&["UNLINK"], &page).await? {
                match removed {
                    Value::Int(number @ 0..=1) => report.keys += u64::from(number == 1),
                    _ => return Err(Refusal::Reply.into()),
                }
            }
        }
        Ok(report)
    }
}
