//! `redis::aio::PubSub`, and its halves.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{Msg, RedisResult, ToRedisArgs};

use super::{TenantMsg, TenantPubSub};

macro_rules! subscriptions {
    ($pubsub:ty) => {
        impl TenantPubSub<$pubsub> {
            /// Subscribes to a channel, or to each of several.
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn subscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
                let channels = self.within(channels)?;
                self.pubsub.subscribe(channels).await
            }

            /// Subscribes to the tenant's channels that a pattern matches, or any of several.
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn psubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
                let patterns = self.within(patterns)?;
                self.pubsub.psubscribe(patterns).await
            }

            /// Ends the subscription of a channel, or of each of several.
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn unsubscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
                let channels = self.within(channels)?;
                self.pubsub.unsubscribe(channels).await
            }

            /// Ends the subscription of a pattern, or of each of several.
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn punsubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
                let patterns = self.within(patterns)?;
                self.pubsub.punsubscribe(patterns).await
            }
        }
    };
}

macro_rules! keyspace_subscriptions {
    ($pubsub:ty) => {
        impl TenantPubSub<$pubsub> {
            /// Subscribes to the events of the tenant's keys that a pattern matches, or any of several, in a database.
            ///
            /// [`TenantMsg::key`] returns the key, and the payload is the name of the event. The server sends events only
            /// if `notify-keyspace-events` contains `K` and the kinds of events. A user of `TenantAcl` has no permission
            /// for them.
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn subscribe_keyspace(
                &mut self,
                database: u32,
                keys: impl ToRedisArgs,
            ) -> RedisResult<()> {
                let keys = self.keyspace(database, keys)?;
                self.pubsub.psubscribe(keys).await
            }

            /// Ends a subscription of [`subscribe_keyspace`](Self::subscribe_keyspace).
            ///
            /// # Errors
            ///
            /// Those of redis-rs.
            pub async fn unsubscribe_keyspace(
                &mut self,
                database: u32,
                keys: impl ToRedisArgs,
            ) -> RedisResult<()> {
                let keys = self.keyspace(database, keys)?;
                self.pubsub.punsubscribe(keys).await
            }
        }
    };
}

pub(super) use {keyspace_subscriptions, subscriptions};

subscriptions!(PubSub);
subscriptions!(PubSubSink);
keyspace_subscriptions!(PubSub);
keyspace_subscriptions!(PubSubSink);

impl TenantPubSub<PubSub> {
    /// Returns the stream of messages. [`Refusal::Reply`](crate::Refusal::Reply) is in the place of a message on a channel
    /// of another tenant.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    /// use tenancy_redis::TenantPubSub;
    ///
    /// # async fn example(client: redis::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut pubsub = TenantPubSub::current(client.get_async_pubsub().await?)?;
    /// pubsub.subscribe(&["orders", "refunds"]).await?;
    /// let mut messages = pubsub.on_message();
    /// while let Some(message) = messages.next().await {
    ///     let order: String = message?.get_payload()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_message(&mut self) -> impl Stream<Item = RedisResult<TenantMsg>> + '_ {
        TenantPubSub { pubsub: self.pubsub.on_message(), prefix: self.prefix }
    }

    /// Splits the connection into a half that subscribes, and a half that is the stream of messages.
    pub fn split(self) -> (TenantPubSub<PubSubSink>, TenantPubSub<PubSubStream>) {
        let Self { pubsub, prefix } = self;
        let (sink, stream) = pubsub.split();
        (TenantPubSub { pubsub: sink, prefix }, TenantPubSub { pubsub: stream, prefix })
    }
}

impl<S: Stream<Item = Msg> + Unpin> Stream for TenantPubSub<S> {
    type Item = RedisResult<TenantMsg>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let prefix = self.prefix;
        let message = Pin::new(&mut self.pubsub).poll_next(cx);
        message.map(|message| message.map(|message| Ok(TenantMsg::new(message, &prefix)?)))
    }
}
