//! `redis::PubSub`.

use std::time::Duration;

use redis::{PubSub, RedisResult, ToRedisArgs};

use super::{TenantMsg, TenantPubSub};

/// Names are sent one at a time: redis-rs waits for one confirmation, and would take the others for later replies, on the
/// connection itself once the subscriptions have ended.
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

    /// Subscribes to the events of the tenant's keys that a pattern matches, or any of several, in a database.
    ///
    /// [`TenantMsg::key`] returns the key, and the payload is the name of the event. The server sends events only if
    /// `notify-keyspace-events` contains `K` and the kinds of events. A user of `TenantAcl` has no permission for them.
    ///
    /// ```no_run
    /// # fn example(mut connection: redis::Connection, tenant: tenancy::TenantId) -> redis::RedisResult<()> {
    /// let mut pubsub = tenancy_redis::TenantPubSub::new(connection.as_pubsub(), tenant);
    /// pubsub.subscribe_keyspace(0, "session:*")?;
    /// let event = pubsub.get_message()?;
    /// if event.payload() == b"expired" {
    ///     println!("{:?}", event.key());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_keyspace(&mut self, database: u32, keys: impl ToRedisArgs) -> RedisResult<()> {
        let keys = self.keyspace(database, keys)?;
        keys.into_iter().try_for_each(|key| self.pubsub.psubscribe(key))
    }

    /// Ends a subscription of [`subscribe_keyspace`](Self::subscribe_keyspace).
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe_keyspace(&mut self, database: u32, keys: impl ToRedisArgs) -> RedisResult<()> {
        let keys = self.keyspace(database, keys)?;
        keys.into_iter().try_for_each(|key| self.pubsub.punsubscribe(key))
    }

    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// Those of redis-rs, and [`Refusal::Reply`](crate::Refusal::Reply) in place of a message on a channel of another
    /// tenant.
    pub fn get_message(&mut self) -> RedisResult<TenantMsg> {
        Ok(TenantMsg::new(self.pubsub.get_message()?, &self.prefix)?)
    }

    /// Limits the time that [`get_message`](Self::get_message) waits. With `None` it waits without a limit.
    ///
    /// # Errors
    ///
    /// Those of the socket, and an error if the time is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> RedisResult<()> {
        self.pubsub.set_read_timeout(timeout)
    }
}
