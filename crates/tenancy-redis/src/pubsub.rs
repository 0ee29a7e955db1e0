//! The subscriptions of one tenant.

#[cfg(feature = "tokio")]
mod aio;
mod message;
mod sync;

use std::fmt;

use redis::ToRedisArgs;
use tenancy::{TenantContext, TenantContextNotSetError, TenantId};

pub use self::message::TenantMsg;
use crate::prefix::Prefix;
use crate::refusal::Refusal;

/// Subscriptions that cannot leave their tenant.
///
/// It wraps what redis-rs subscribes by: [`redis::PubSub`], and with the feature `tokio` `redis::aio::PubSub`
/// and the two halves of it. Channels and patterns get the tenant's prefix and messages lose it, so that `*` is
/// each channel of the tenant and none of another's, and what [`TenantRedis`](crate::TenantRedis) publishes
/// arrives here.
///
/// A message on another's channel is [`Refusal::Reply`] in its place. Names that hold no channel are
/// [`Refusal::BadArguments`], for without a name a connection ends all its subscriptions.
///
/// A connection with subscriptions has one tenant. `SUBSCRIBE` on a `TenantRedis` stays refused: redis-rs counts
/// the replies to it out of sight, so a subscription of RESP3 on a shared connection can't be confined.
///
/// ```no_run
/// use tenancy_redis::TenantPubSub;
///
/// # fn example(mut connection: redis::Connection) -> Result<(), Box<dyn std::error::Error>> {
/// let mut pubsub = TenantPubSub::current(connection.as_pubsub())?;
/// pubsub.psubscribe("orders:*")?;
/// let message = pubsub.get_message()?;
/// assert!(message.channel().starts_with(b"orders:"));
/// let order: String = message.get_payload()?;
/// # Ok(())
/// # }
/// ```
///
/// What is inside can't be taken out again.
///
/// ```compile_fail,E0616
/// fn raw(redis: tenancy_redis::TenantPubSub<redis::PubSub<'_>>) -> redis::PubSub<'_> { redis.pubsub }
/// ```
///
/// ```compile_fail,E0614
/// fn raw(redis: tenancy_redis::TenantPubSub<redis::PubSub<'_>>) -> redis::PubSub<'_> { *redis }
/// ```
#[derive(Clone)]
pub struct TenantPubSub<P> {
    pubsub: P,
    prefix: Prefix,
}

impl<P> TenantPubSub<P> {
    /// The subscriptions, for one tenant.
    pub fn new(pubsub: P, tenant: TenantId) -> Self {
        Self { pubsub, prefix: Prefix::new(tenant) }
    }

    /// The subscriptions, for the tenant of the context. They stay that tenant's, wherever they are used.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] where there is none.
    pub fn current(pubsub: P) -> Result<Self, TenantContextNotSetError> {
        Ok(Self::new(pubsub, TenantContext::get()?))
    }

    /// Whose they are.
    pub fn tenant(&self) -> TenantId {
        self.prefix.tenant()
    }

    /// The tenant's channels under a name, as [`TenantRedis::namespace`](crate::TenantRedis::namespace) has them.
    ///
    /// Messages of subscriptions that were made before, on channels outside of it, are [`Refusal::Reply`] from
    /// now on.
    ///
    /// # Panics
    ///
    /// Where the name is not 1 to 32 letters, digits, `-` or `_`, or there are two namespaces already.
    #[must_use]
    pub fn namespace(self, name: &'static str) -> Self {
        Self { prefix: self.prefix.namespace(name), ..self }
    }

    /// The full name of each.
    fn within(&self, names: impl ToRedisArgs) -> Result<Vec<Vec<u8>>, Refusal> {
        let within = |name: Vec<u8>| [self.prefix.as_bytes(), &name].concat();
        let names: Vec<_> = names.to_redis_args().into_iter().map(within).collect();
        if names.is_empty() { Err(Refusal::BadArguments) } else { Ok(names) }
    }
}

/// Whose they are.
impl<P> fmt::Debug for TenantPubSub<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPubSub").field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}
