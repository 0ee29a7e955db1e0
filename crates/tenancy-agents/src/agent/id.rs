//! An agent's id.

use core::fmt;
use core::str::FromStr;

use uuid::Uuid;

/// An agent's id: a UUID, of version 7 (RFC 9562, section 5.7) where this crate makes it, so that ids grow with time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(Uuid);

impl AgentId {
    /// The id of these bytes.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id of a moment, told apart by 10 random bytes: for devices, which bring both.
    ///
    /// ```
    /// use tenancy_agents::{AgentId, UnixMillis};
    ///
    /// let id = AgentId::v7(UnixMillis(0x0192_5d50_7a00), [0xab; 10]);
    /// assert_eq!(id.to_string(), "01925d50-7a00-7bab-abab-abababababab");
    /// ```
    pub const fn v7(time: super::UnixMillis, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(time.0, &random).into_uuid())
    }

    /// As a UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl FromStr for AgentId {
    type Err = uuid::Error;

    /// Reads the forms of RFC 9562 tools.
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentId('{self}')")
    }
}
