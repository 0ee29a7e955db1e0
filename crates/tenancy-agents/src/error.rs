//! Why a registry does not do what it was asked.

use core::fmt;

use tenancy::{TenantContextNotSetError, TenantId, TenantMismatchError};

use crate::status::InvalidTransitionError;

#[cfg(not(feature = "std"))]
pub use bare::StoreError;
#[cfg(feature = "std")]
pub use host::StoreError;

/// Why a registry does not do what it was asked. None tells of an agent that the caller does not see.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// There is no tenant to do it for.
    NoTenant(TenantContextNotSetError),
    /// The tenant sees no such agent, whoever else may have it.
    NotFound,
    /// The tenant has another agent of this name.
    NameTaken,
    /// The platform shares an agent of this name with all tenants.
    NameShared,
    /// Tenants have agents of this name: the platform can't share one. Only the platform hears of it.
    NameHeld(NameConflict),
    /// It was changed meanwhile: it has another revision than was expected.
    Revision {
        /// The one that was expected.
        expected: u64,
        /// The one that it has.
        found: u64,
    },
    /// There is no such step between these states.
    Transition(InvalidTransitionError),
    /// The agent is deleted, and stays as it was.
    Deleted,
    /// The agent is the platform's: others read it.
    ReadOnly,
    /// The approval is for another agent, or another tenant's, or there is none.
    Approval,
    /// The agent belongs to another tenant than it is to be put back into.
    Mismatch(TenantMismatchError),
    /// The tenant has as many agents as it may have.
    Quota {
        /// How many that is.
        limit: usize,
    },
    /// There is no memory left for another agent.
    Full,
    /// The agent was changed concurrently too often, so that this change was not applied. It can be retried. The stores
    /// of this crate do not return this error.
    Contention,
    /// The store did not respond. The operation can be retried, but it may already have taken effect. Contains the
    /// store's error, if there is one.
    Unavailable(Option<StoreError>),
    /// What it is kept in failed.
    Store(StoreError),
}

/// Which tenants hold a name that the platform would share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameConflict {
    /// The one with the least id.
    pub first: TenantId,
    /// How many there are besides.
    pub others: u64,
}

/// A member of an agent that is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidAgentError {
    /// Which.
    pub field: Field,
    /// What is wrong with it.
    pub kind: InvalidAgentKind,
}

/// A member of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "as the members of an agent, which are told there")]
pub enum Field {
    Name,
    DisplayName,
    Description,
    Version,
    Capabilities,
    Endpoint,
    Owner,
    Card,
}

/// What is wrong with a member of an agent. Nothing of it is in the error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InvalidAgentKind {
    /// It is longer than it may be.
    TooLong {
        /// The most, in bytes.
        limit: usize,
    },
    /// There are more than there may be.
    TooMany {
        /// The most.
        limit: usize,
    },
    /// It is nested deeper than it may be.
    TooDeep {
        /// The most, in levels.
        limit: usize,
    },
    /// A control character is in it.
    Character,
    /// It is no name.
    Slug,
    /// It is no tag.
    Tag,
    /// It is no URL.
    Url,
    /// It is no JSON object.
    Json,
}

impl InvalidAgentKind {
    /// The same, of a member.
    pub const fn of(self, field: Field) -> InvalidAgentError {
        InvalidAgentError { field, kind: self }
    }
}

impl Field {
    /// As JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::DisplayName => "display_name",
            Self::Description => "description",
            Self::Version => "version",
            Self::Capabilities => "capabilities",
            Self::Endpoint => "endpoint",
            Self::Owner => "owner",
            Self::Card => "card",
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTenant(error) => error.fmt(f),
            Self::NotFound => f.write_str("there is no such agent"),
            Self::NameTaken => f.write_str("another agent of the tenant has the name"),
            Self::NameShared => f.write_str("an agent that the platform shares has the name"),
            Self::NameHeld(holders) => holders.fmt(f),
            Self::Revision { expected, found } => {
                write!(f, "revision {expected} was expected, and it has {found}")
            }
            Self::Transition(error) => error.fmt(f),
            Self::Deleted => f.write_str("the agent is deleted"),
            Self::ReadOnly => f.write_str("the agent is the platform's: others can't change it"),
            Self::Approval => f.write_str("the approval is not for this agent"),
            Self::Mismatch(error) => error.fmt(f),
            Self::Quota { limit } => write!(f, "the tenant has {limit} agents, and may have no more"),
            Self::Full => f.write_str("there is no room for another agent"),
            Self::Contention => f.write_str("agent was changed concurrently too often"),
            Self::Unavailable(None) => f.write_str("the agents' store does not answer"),
            Self::Unavailable(Some(error)) => write!(f, "the agents' store does not answer: {error}"),
            Self::Store(error) => write!(f, "the agents' store failed: {error}"),
        }
    }
}

impl fmt::Display for NameConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tenant {} has an agent of the name", self.first)?;
        if self.others > 0 { write!(f, ", and {} more", self.others) } else { Ok(()) }
    }
}

impl fmt::Display for InvalidAgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => write!(f, "has more than {limit} bytes"),
            Self::TooMany { limit } => write!(f, "has more than {limit} entries"),
            Self::TooDeep { limit } => write!(f, "is nested deeper than {limit} levels"),
            Self::Character => f.write_str("has a control character"),
            Self::Slug => f.write_str("is not 1 to 63 of a-z, 0-9 and -, with no - first"),
            Self::Tag => {
                f.write_str("has what is not 1 to 32 of a-z, 0-9 and -._:, with a letter or digit first")
            }
            Self::Url => f.write_str("is no URL"),
            Self::Json => f.write_str("is no JSON object"),
        }
    }
}

impl fmt::Display for InvalidAgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field.as_str(), self.kind)
    }
}

impl core::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Store(error) | Self::Unavailable(Some(error)) => error.source(),
            _ => None,
        }
    }
}

impl core::error::Error for InvalidAgentError {}
impl core::error::Error for InvalidAgentKind {}

impl From<TenantContextNotSetError> for AgentError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

impl From<InvalidTransitionError> for AgentError {
    fn from(error: InvalidTransitionError) -> Self {
        Self::Transition(error)
    }
}

impl From<StoreError> for AgentError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// On hosts a store can fail with an error of its own.
#[cfg(feature = "std")]
mod host {
    use core::fmt;
    use std::boxed::Box;
    use std::error::Error;

    /// An error of a store.
    #[derive(Debug)]
    pub struct StoreError(Box<dyn Error + Send + Sync>);

    impl StoreError {
        /// Wraps a store's error.
        pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
            Self(error.into())
        }

        /// Returns the store's error.
        pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
            &*self.0
        }
    }

    impl fmt::Display for StoreError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for StoreError {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            // `Display` already shows the wrapped error itself.
            self.0.source()
        }
    }
}

/// Fixed memory does not fail.
#[cfg(not(feature = "std"))]
mod bare {
    use core::fmt;

    /// An error of a store. Without the feature `std` the only store is fixed memory, and this type has no value.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum StoreError {}

    impl fmt::Display for StoreError {
        fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    impl core::error::Error for StoreError {}
}
