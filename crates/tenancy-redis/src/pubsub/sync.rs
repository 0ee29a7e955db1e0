//! `redis::PubSub`.

use std::time::Duration;

use redis::{PubSub, RedisResult, ToRedisArgs};

use super::{TenantMsg, TenantPubSub};

/// Names go one at a time: redis-rs awaits one confirmation, and the others would be taken for later replies, on
/// the connection itself once the subscriptions are over.
impl TenantPubSub<PubSub<'_>> {
    /// Subscribes to a channel, or to each of several.
    ///
    /// # Errors
    ///
    /// Those of redis-rs. The channels before the one that failed stay subscribed.
    pub fn subscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        let channels = self.within(channels)?;
        channels.into_iter().try_for_each(|channel| self.pubsub.subscribe(channel))
    }

    /// Subscribes to the tenant's channels that a pattern matches, or any of several.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
        let patterns = self.within(patterns)?;
        patterns.into_iter().try_for_each(|pattern| self.pubsub.psubscribe(pattern))
    }

    /// Ends the subscription of a channel, or of each of several.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        let channels = self.within(channels)?;
        channels.into_iter().try_for_each(|channel| self.pubsub.unsubscribe(channel))
    }

    /// Ends the subscription of a pattern, or of each of several.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn punsubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
        let patterns = self.within(patterns)?;
        patterns.into_iter().try_for_each(|pattern| self.pubsub.punsubscribe(pattern))
    }

    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// Those of redis-rs, and [`Refusal::Reply`](crate::Refusal::Reply) in place of a message on another's channel.
    pub fn get_message(&mut self) -> RedisResult<TenantMsg> {
        Ok(TenantMsg::new(self.pubsub.get_message()?, &self.prefix)?)
    }

    /// How long [`get_message`](Self::get_message) waits: for ever, where there is no time.
    ///
    /// # Errors
    ///
    /// Those of the socket. A time of zero is one.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> RedisResult<()> {
        self.pubsub.set_read_timeout(timeout)
    }
}
