//! Errors of operations on files.

use tenancy::TenantError;
use tenancy_sqlite::Error;

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
