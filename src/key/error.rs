//! Why there is no key.

use core::fmt;

use crate::{TenantContextNotSetError, TenantMismatchError};

/// Why there is no key. It repeats nothing of what was given, which may be another tenant's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TenantKeyError {
    /// There is no room for prefix and key.
    TooLong,
    /// The key begins with no tenant's prefix.
    Unprefixed,
    /// No tenant is at work.
    TenantContextNotSet(TenantContextNotSetError),
    /// The key is another tenant's.
    TenantMismatch(TenantMismatchError),
}

impl fmt::Display for TenantKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("tenant key too long: its prefix and the key do not fit"),
            Self::Unprefixed => f.write_str("not a tenant's key: it begins with no tenant's prefix"),
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
