//! The ids of agents.

use core::fmt;
use core::str::FromStr;

use uuid::Uuid;

use crate::clock::UnixMillis;

/// An agent's id: a UUID. The ids that this crate creates have version 7 (RFC 9562, section 5.7), so that they increase
/// with time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(Uuid);

/// A generator of ids for new agents. Hosts have [`RandomIds`]; a device implements the trait itself.
pub trait IdGenerator: Send + Sync {
    /// Returns an id that no agent has, for example by [`AgentId::v7`]. The ids of one registry should increase.
    fn new_id(&self) -> AgentId;
}

impl<G: IdGenerator + ?Sized> IdGenerator for &G {
    fn new_id(&self) -> AgentId {
        (**self).new_id()
    }
}

/// Random UUIDs of version 7, which increase within the process.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RandomIds;

#[cfg(feature = "std")]
impl IdGenerator for RandomIds {
    fn new_id(&self) -> AgentId {
        AgentId::from_uuid(Uuid::now_v7())
    }
}

impl AgentId {
    /// Returns the id with the bytes of a UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns an id of version 7 from a time and 10 random bytes. For devices, which supply both.
    ///
    /// ```
    /// use tenancy_agents::{AgentId, UnixMillis};
    ///
    /// let id = AgentId::v7(UnixMillis(0x0192_5d50_7a00), [0xab; 10]);
    /// assert_eq!(id.to_string(), "01925d50-7a00-7bab-abab-abababababab");
    /// ```
    pub const fn v7(time: UnixMillis, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(time.0, &random).into_uuid())
    }

    /// Returns the id as a UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl FromStr for AgentId {
    type Err = uuid::Error;

    /// Parses a UUID with or without hyphens, braces or the prefix `urn:uuid:`.
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
