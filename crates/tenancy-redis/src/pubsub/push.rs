//! Subscriptions of connections with RESP3, whose messages arrive in a channel of tokio.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
#[cfg(feature = "connection-manager")]
use redis::aio::ConnectionManager;
use redis::aio::MultiplexedConnection;
#[cfg(feature = "cluster")]
use redis::cluster_async::ClusterConnection;
use redis::{Msg, PushInfo, PushKind, RedisResult, ToRedisArgs};
use tokio::sync::mpsc::UnboundedReceiver;

use super::aio::{keyspace_subscriptions, subscriptions};
use super::{TenantMsg, TenantPubSub};

/// The messages of a connection that speaks RESP3: the receiver of its push sender.
///
/// Such a connection sends commands and receives messages at the same time. Subscribe by a [`TenantPubSub`] of the
/// connection, and read from a `TenantPubSub` of `PushMessages`. The connection has one tenant: a message on a channel of
/// another tenant is [`Refusal::Reply`](crate::Refusal::Reply) in its place.
///
/// A `ConnectionManager` with automatic resubscription (feature `connection-manager`) and a `ClusterConnection` (feature
/// `cluster`) restore their subscriptions after a reconnection. What was published in between is lost, so the stream has an
/// error of the kind `ConnectionReset` where the connection was lost, and continues.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use redis::aio::ConnectionManagerConfig;
/// use tenancy_redis::{PushMessages, TenantPubSub};
///
/// # #[cfg(feature = "connection-manager")]
/// # async fn example(tenant: tenancy::TenantId) -> redis::RedisResult<()> {
/// let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
/// let config = ConnectionManagerConfig::new().set_push_sender(sender).set_automatic_resubscription();
/// let client = redis::Client::open("redis://127.0.0.1/?protocol=resp3")?;
/// let connection = client.get_connection_manager_with_config(config).await?;
///
/// let mut subscriptions = TenantPubSub::new(connection, tenant);
/// subscriptions.subscribe("orders").await?;
/// let mut messages = TenantPubSub::new(PushMessages::new(receiver), tenant);
/// while let Some(message) = messages.next().await {
///     match message {
///         Ok(order) => println!("{:?}", order.payload()),
///         Err(error) if error.is_connection_dropped() => println!("orders may be missing"),
///         Err(error) => return Err(error),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct PushMessages {
    receiver: UnboundedReceiver<PushInfo>,
}

impl PushMessages {
    /// Creates the messages of the connection whose push sender sends to this receiver.
    pub fn new(receiver: UnboundedReceiver<PushInfo>) -> Self {
        Self { receiver }
    }
}

/// Shows no message.
impl fmt::Debug for PushMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushMessages").finish_non_exhaustive()
    }
}

impl Stream for TenantPubSub<PushMessages> {
    type Item = RedisResult<TenantMsg>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let push = match self.pubsub.receiver.poll_recv(cx) {
                Poll::Ready(Some(push)) => push,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            if push.kind == PushKind::Disconnection {
                let lost = io::Error::new(io::ErrorKind::ConnectionReset, "messages may be missing");
                return Poll::Ready(Some(Err(lost.into())));
            }
            // Confirmations of subscriptions are no messages.
            if let Some(message) = Msg::from_push_info(push) {
                let message = TenantMsg::new(message, &self.prefix);
                return Poll::Ready(Some(message.map_err(Into::into)));
            }
        }
    }
}

subscriptions!(MultiplexedConnection);
keyspace_subscriptions!(MultiplexedConnection);
#[cfg(feature = "connection-manager")]
subscriptions!(ConnectionManager);
#[cfg(feature = "connection-manager")]
keyspace_subscriptions!(ConnectionManager);
// Without events of keys: each node of a cluster sends only those of its own keys.
#[cfg(feature = "cluster")]
subscriptions!(ClusterConnection);

#[cfg(feature = "cluster")]
impl TenantPubSub<ClusterConnection> {
    /// Subscribes to a sharded channel, or to each of several.
    ///
    /// A sharded channel is on one node, as a key of its name would be. `SPUBLISH` publishes to it. redis-rs has sharded
    /// channels only for clusters.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The channels before the one that failed stay subscribed.
    pub async fn ssubscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        // Each may be on another node.
        for channel in self.within(channels)? {
            self.pubsub.ssubscribe(channel).await?;
        }
        Ok(())
    }

    /// Ends the subscription of a sharded channel, or of each of several.
    ///
    /// # Errors
    ///
    /// Those of redis-rs.
    pub async fn sunsubscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        // Each may be on another node.
        for channel in self.within(channels)? {
            self.pubsub.sunsubscribe(channel).await?;
        }
        Ok(())
    }
}
