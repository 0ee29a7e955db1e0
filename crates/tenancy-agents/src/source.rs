//! Where time and ids come from.

#[cfg(feature = "std")]
mod system;

use crate::agent::{AgentId, UnixMillis};

#[cfg(feature = "std")]
pub use system::SystemSource;

/// Where time and ids come from: a device brings its own.
pub trait Source: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixMillis;

    /// An id that nobody has: on a device by [`AgentId::v7`]. Those of one registry should grow.
    fn new_id(&self) -> AgentId;
}

impl<S: Source + ?Sized> Source for &S {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }

    fn new_id(&self) -> AgentId {
        (**self).new_id()
    }
}
