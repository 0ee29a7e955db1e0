//! What arrives on a channel.

use std::fmt;

use redis::{FromRedisValue, Msg, RedisResult};

use crate::prefix::Prefix;
use crate::refusal::Refusal;

/// A message on a channel of the tenant, or an event of one of its keys.
#[derive(Clone)]
pub struct TenantMsg {
    /// Its own names have the prefix.
    message: Msg,
    channel: Name,
    pattern: Option<Name>,
}

/// A channel or a pattern without the tenant's prefix.
#[derive(Clone)]
struct Name {
    name: Vec<u8>,
    /// The length of `__keyspace@0__:`, or 0 for another channel.
    keyspace: usize,
}

impl Name {
    /// # Errors
    ///
    /// [`Refusal::Reply`] if the channel is not the tenant's.
    fn new(full: &[u8], prefix: &Prefix) -> Result<Self, Refusal> {
        let keyspace = keyspace(full).unwrap_or(0);
        let (head, rest) = full.split_at(keyspace);
        Ok(Self { name: [head, prefix.strip(rest)?].concat(), keyspace })
    }
}

/// Returns the length of what precedes the key in the name of a keyspace channel.
///
/// No channel of a tenant begins like this, because each begins with the tenant's prefix.
fn keyspace(channel: &[u8]) -> Option<usize> {
    const START: &[u8] = b"__keyspace@";
    const END: &[u8] = b"__:";
    let rest = channel.strip_prefix(START)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0 && rest[digits..].starts_with(END)).then_some(START.len() + digits + END.len())
}

impl TenantMsg {
    /// # Errors
    ///
    /// [`Refusal::Reply`] if the channel, or the pattern, is not the tenant's.
    pub(super) fn new(message: Msg, prefix: &Prefix) -> Result<Self, Refusal> {
        // The error of another type would show the name.
        let channel: Vec<u8> = message.get_channel().map_err(|_| Refusal::Reply)?;
        let pattern: Option<Vec<u8>> = message.get_pattern().map_err(|_| Refusal::Reply)?;
        Ok(Self {
            message,
            channel: Name::new(&channel, prefix)?,
            pattern: pattern.map(|pattern| Name::new(&pattern, prefix)).transpose()?,
        })
    }

    /// Returns the channel, by the name that the tenant gave it. For an event of a key: `__keyspace@0__:` and the key.
    pub fn channel(&self) -> &[u8] {
        &self.channel.name
    }

    /// Returns the pattern that matched the channel, as the tenant wrote it, or `None` if the channel was subscribed to by
    /// its name.
    pub fn pattern(&self) -> Option<&[u8]> {
        Some(&self.pattern.as_ref()?.name)
    }

    /// Returns the key of an event, by the name that the tenant gave it, or `None` for a published message.
    ///
    /// The payload is the name of the event: `set`, `del`, `expired`.
    pub fn key(&self) -> Option<&[u8]> {
        self.channel.name.get(self.channel.keyspace..).filter(|_| self.channel.keyspace > 0)
    }

    /// Returns the bytes that were published.
    pub fn payload(&self) -> &[u8] {
        self.message.get_payload_bytes()
    }

    /// Returns what was published, in a type that redis-rs reads.
    ///
    /// # Errors
    ///
    /// If the bytes are not a value of the type.
    pub fn get_payload<T: FromRedisValue>(&self) -> RedisResult<T> {
        self.message.get_payload()
    }
}

/// Shows nothing of the message.
impl fmt::Debug for TenantMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMsg").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tenancy::TenantId;

    use super::*;

    fn name(full: &str) -> Result<(String, usize), Refusal> {
        let name = Name::new(full.as_bytes(), &Prefix::new(TenantId::PLATFORM))?;
        Ok((String::from_utf8(name.name).expect("text"), name.keyspace))
    }

    #[test]
    fn removes_the_prefix_of_channels_and_of_keys() {
        const OWN: &str = "t:00000000000000000000000000000001:";
        for (full, stripped, keyspace) in [
            (format!("{OWN}c"), "c", 0),
            (format!("{OWN}__keyspace@0__:c"), "__keyspace@0__:c", 0),
            (format!("__keyspace@0__:{OWN}k"), "__keyspace@0__:k", 15),
            (format!("__keyspace@15__:{OWN}"), "__keyspace@15__:", 16),
        ] {
            assert_eq!(name(&full), Ok((stripped.to_owned(), keyspace)), "{full}");
        }
    }

    #[test]
    fn rejects_names_of_others() {
        const OWN: &str = "t:00000000000000000000000000000001:";
        const FOREIGN: &str = "t:00000000000000000000000000000002:";
        for full in [
            "k".to_owned(),
            format!("{FOREIGN}{OWN}"),
            format!("__keyspace@0__:{FOREIGN}k"),
            "__keyspace@0__:k".to_owned(),
            format!("__keyspace@__:{OWN}k"),
            format!("__keyspace@0__:__keyspace@0__:{OWN}k"),
            format!("__keyspace@0_:{OWN}k"),
            format!("__keyspace@*__:{OWN}k"),
            format!("__keyevent@0__:{OWN}k"),
            format!(" __keyspace@0__:{OWN}k"),
        ] {
            assert_eq!(name(&full), Err(Refusal::Reply), "{full}");
        }
    }
}
