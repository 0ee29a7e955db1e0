//! What arrives on a channel.

use std::fmt;

use redis::{FromRedisValue, Msg, RedisResult};

use crate::prefix::Prefix;
use crate::refusal::Refusal;

/// A message on a channel of the tenant.
#[derive(Clone)]
pub struct TenantMsg {
    /// Its own names have the prefix.
    message: Msg,
    channel: Vec<u8>,
    pattern: Option<Vec<u8>>,
}

impl TenantMsg {
    /// # Errors
    ///
    /// [`Refusal::Reply`] where the channel, or the pattern, is not the tenant's.
    pub(super) fn new(message: Msg, prefix: &Prefix) -> Result<Self, Refusal> {
        // The error of another type would show the name.
        let channel: Vec<u8> = message.get_channel().map_err(|_| Refusal::Reply)?;
        let pattern: Option<Vec<u8>> = message.get_pattern().map_err(|_| Refusal::Reply)?;
        Ok(Self {
            message,
            channel: prefix.strip(&channel)?.to_vec(),
            pattern: pattern.map(|pattern| prefix.strip(&pattern).map(<[u8]>::to_vec)).transpose()?,
        })
    }

    /// The channel, by the name that the tenant gave it.
    pub fn channel(&self) -> &[u8] {
        &self.channel
    }

    /// The pattern that the channel was subscribed to by, if it was one, as the tenant wrote it.
    pub fn pattern(&self) -> Option<&[u8]> {
        self.pattern.as_deref()
    }

    /// The bytes that were published.
    pub fn payload(&self) -> &[u8] {
        self.message.get_payload_bytes()
    }

    /// What was published, in a type that redis-rs reads.
    ///
    /// # Errors
    ///
    /// Where the bytes are not such a value.
    pub fn get_payload<T: FromRedisValue>(&self) -> RedisResult<T> {
        self.message.get_payload()
    }
}

/// Nothing of it: what a tenant publishes is its own.
impl fmt::Debug for TenantMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMsg").finish_non_exhaustive()
    }
}
