//! The error of a key.

use core::fmt;

use crate::{TenantContextNotSetError, TenantMismatchError};

/// A key is too long, or does not belong to the tenant. The error does not repeat the key, which may be another tenant's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TenantKeyError {
    /// The prefix and the key do not fit into the capacity.
    TooLong,
    /// The key does not begin with a tenant's prefix.
    Unprefixed,
    /// No tenant is set.
    TenantContextNotSet(TenantContextNotSetError),
    /// The key belongs to another tenant.
    TenantMismatch(TenantMismatchError),
}

impl fmt::Display for TenantKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("tenant key too long: the prefix and the key do not fit"),
            Self::Unprefixed => f.write_str("not a tenant's key: it does not begin with a tenant's prefix"),
            Self::TenantContextNotSet(error) => error.fmt(f),
            Self::TenantMismatch(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TenantKeyError {}

impl From<TenantContextNotSetError> for TenantKeyError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::TenantContextNotSet(error)
    }
}

impl From<TenantMismatchError> for TenantKeyError {
    fn from(error: TenantMismatchError) -> Self {
        Self::TenantMismatch(error)
    }
}
