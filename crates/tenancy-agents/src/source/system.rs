//! The system's clock.

use std::time::SystemTime;

use uuid::Uuid;

use super::Source;
use crate::agent::{AgentId, UnixMillis};

/// The system's clock, and UUIDs of version 7 that grow within the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SystemSource;

impl Source for SystemSource {
    /// A clock before 1970 is at 0.
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn new_id(&self) -> AgentId {
        AgentId::from_uuid(Uuid::now_v7())
    }
}
