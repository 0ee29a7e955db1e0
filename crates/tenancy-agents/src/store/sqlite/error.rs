//! Errors of operations on files.

use std::boxed::Box;

use tenancy::TenantError;
use tenancy_sqlite::Error;

use crate::agent::Agent;
use crate::error::{AgentError, StoreError};

/// The error of an operation on a file: the file's own, or one of the registry.
#[derive(Debug)]
pub(super) enum Failed {
    File(Error),
    Answer(AgentError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<AgentError> for Failed {
    fn from(error: AgentError) -> Self {
        Self::Answer(error)
    }
}

impl From<Failed> for AgentError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Answer(error) => error,
            Failed::File(Error::Tenant(TenantError::TenantContextNotSet(error))) => Self::NoTenant(error),
            Failed::File(error @ Error::Busy) => Self::Unavailable(Some(StoreError::new(error))),
            Failed::File(Error::Full) => Self::Full,
            Failed::File(error) => Self::Store(StoreError::new(error)),
        }
    }
}

/// The reason why a change of an agent was rolled back.
pub(super) enum Stopped<E> {
    Failed(Failed),
    /// The error of the function that changes the agent.
    Change(E),
    /// The agent becomes shared, and the lock on names is not held.
    NeedsName(Box<Agent>),
}

impl<E> From<Error> for Stopped<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl<E> From<Failed> for Stopped<E> {
    fn from(error: Failed) -> Self {
        Self::Failed(error)
    }
}
