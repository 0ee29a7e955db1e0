//! The subscriptions of one tenant.

#[cfg(feature = "tokio")]
mod aio;
mod message;
#[cfg(feature = "tokio")]
mod push;
mod sync;

use std::fmt;

use redis::ToRedisArgs;
use tenancy::{TenantContext, TenantContextNotSetError, TenantId};

pub use self::message::TenantMsg;
#[cfg(feature = "tokio")]
pub use self::push::PushMessages;
use crate::prefix::Prefix;
use crate::refusal::Refusal;

/// Subscriptions that cannot leave their tenant.
///
/// It wraps a connection of redis-rs that subscribes: [`redis::PubSub`], and with the feature `tokio` `redis::aio::PubSub`,
/// its two halves, and connections with RESP3, whose messages arrive as `PushMessages`. Channels and patterns get the
/// tenant's prefix, and messages lose it. So `*` matches each channel of the tenant and none of another tenant, and what
/// [`TenantRedis`](crate::TenantRedis) publishes arrives here.
///
/// A message on a channel of another tenant is the error [`Refusal::Reply`] in its place. A list of names that is empty is
/// [`Refusal::BadArguments`], because a connection without a name ends all its subscriptions.
///
/// A connection with subscriptions has one tenant. `SUBSCRIBE` on a `TenantRedis` is refused, because redis-rs counts the
/// replies of the command out of sight.
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
/// The connection cannot be taken out again.
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
    /// Creates the subscriptions of one tenant.
    pub fn new(pubsub: P, tenant: TenantId) -> Self {
        Self { pubsub, prefix: Prefix::new(tenant) }
    }

    /// Creates the subscriptions of the current tenant. They stay that tenant's, wherever they are used.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] if no tenant is set.
    pub fn current(pubsub: P) -> Result<Self, TenantContextNotSetError> {
        Ok(Self::new(pubsub, TenantContext::get()?))
    }

    /// Returns the tenant.
    pub fn tenant(&self) -> TenantId {
        self.prefix.tenant()
    }

    /// Limits the subscriptions to a namespace, as [`TenantRedis::namespace`](crate::TenantRedis::namespace) does.
    ///
    /// Messages of earlier subscriptions, on channels outside of the namespace, are [`Refusal::Reply`] from now on.
    ///
    /// # Panics
    ///
    /// If the name is not 1 to 32 letters, digits, `-` or `_`, or if there are two namespaces already.
    #[must_use]
    pub fn namespace(self, name: &'static str) -> Self {
        Self { prefix: self.prefix.namespace(name), ..self }
    }

    /// Returns the full name of each channel or pattern.
    fn within(&self, names: impl ToRedisArgs) -> Result<Vec<Vec<u8>>, Refusal> {
        self.after("", names)
    }

    /// Returns the full name of the channel of each key, or of each pattern of keys.
    fn keyspace(&self, database: u32, keys: impl ToRedisArgs) -> Result<Vec<Vec<u8>>, Refusal> {
        self.after(&format!("__keyspace@{database}__:"), keys)
    }

    fn after(&self, head: &str, names: impl ToRedisArgs) -> Result<Vec<Vec<u8>>, Refusal> {
        let within = |name: Vec<u8>| [head.as_bytes(), self.prefix.as_bytes(), &name].concat();
        let names: Vec<_> = names.to_redis_args().into_iter().map(within).collect();
        if names.is_empty() { Err(Refusal::BadArguments) } else { Ok(names) }
    }
}

/// Shows the tenant. A connection may show an address.
impl<P> fmt::Debug for TenantPubSub<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantPubSub").field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}
