//! The errors of a tenant's context and access, and the enum that combines them.

use core::fmt;

use super::InvalidTenantIdError;
use crate::TenantId;

/// No tenant is set for the caller, or another owner set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantContextNotSetError;

/// A tenant cannot be set in an interrupt handler outside of a scope: see
/// [`TenantContext::try_set`](crate::TenantContext::try_set).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SetTenantContextError;

/// A resource belongs to another tenant than the current one.
///
/// `Display` and `Debug` do not name the other tenant, because the current tenant may read responses and logs.
/// [`found`](Self::found) returns it, for an audit log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TenantMismatchError {
    expected: TenantId,
    found: TenantId,
}

/// The tenant does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantNotFoundError {
    tenant: TenantId,
}

/// The caller may not act for the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnauthorizedTenantAccessError {
    tenant: TenantId,
}

/// The tenant exists, but its state does not permit the operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantValidationError {
    tenant: TenantId,
    kind: TenantValidationKind,
}

/// The state of a tenant that is not active.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TenantValidationKind {
    /// The tenant is suspended.
    Suspended,
    /// The tenant is deleted, or its deletion is in progress.
    Deleted,
}

impl TenantMismatchError {
    /// Creates the error of the current tenant `expected` and a resource of the tenant `found`.
    pub const fn new(expected: TenantId, found: TenantId) -> Self {
        Self { expected, found }
    }

    /// Returns the current tenant.
    pub const fn expected(&self) -> TenantId {
        self.expected
    }

    /// Returns the tenant that the resource belongs to. Write it to an audit log only, not into a response.
    pub const fn found(&self) -> TenantId {
        self.found
    }
}

impl TenantNotFoundError {
    /// Creates the error of an unknown tenant.
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    /// Returns the tenant that was looked up.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl UnauthorizedTenantAccessError {
    /// Creates the error of a caller that may not act for `tenant`.
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    /// Returns the tenant that the caller requested.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl TenantValidationError {
    /// Creates the error of a tenant in the state `kind`.
    pub const fn new(tenant: TenantId, kind: TenantValidationKind) -> Self {
        Self { tenant, kind }
    }

    /// Returns the tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns the tenant's state.
    pub const fn kind(&self) -> TenantValidationKind {
        self.kind
    }
}

impl fmt::Display for TenantContextNotSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "tenant context is not set: the tenant middleware may be missing, or this task, thread or \
             interrupt was started without carrying the context over",
        )
    }
}

impl fmt::Display for TenantMismatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant mismatch: the resource does not belong to tenant {}", self.expected)
    }
}

impl fmt::Debug for TenantMismatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMismatchError").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl fmt::Display for TenantNotFoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {} not found: no directory entry has this id", self.tenant)
    }
}

impl fmt::Display for UnauthorizedTenantAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "access to tenant {} denied: the caller may not act for it", self.tenant)
    }
}

impl fmt::Display for TenantValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.kind {
            TenantValidationKind::Suspended => "suspended: the platform must resume it first",
            TenantValidationKind::Deleted => "deleted",
        };
        write!(f, "tenant {} is {state}", self.tenant)
    }
}

/// An error of the core: an invalid id, a missing context, or a tenant that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TenantError {
    /// See [`InvalidTenantIdError`].
    InvalidTenantId(InvalidTenantIdError),
    /// See [`TenantContextNotSetError`].
    TenantContextNotSet(TenantContextNotSetError),
    /// See [`TenantMismatchError`].
    TenantMismatch(TenantMismatchError),
    /// See [`TenantNotFoundError`].
    TenantNotFound(TenantNotFoundError),
    /// See [`UnauthorizedTenantAccessError`].
    UnauthorizedTenantAccess(UnauthorizedTenantAccessError),
    /// See [`TenantValidationError`].
    TenantValidation(TenantValidationError),
}

impl fmt::Display for TenantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidTenantId(error) => error.fmt(f),
            Self::TenantContextNotSet(error) => error.fmt(f),
            Self::TenantMismatch(error) => error.fmt(f),
            Self::TenantNotFound(error) => error.fmt(f),
            Self::UnauthorizedTenantAccess(error) => error.fmt(f),
            Self::TenantValidation(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TenantError {}

impl fmt::Display for SetTenantContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot set a tenant in an interrupt handler outside of a scope")
    }
}

impl core::error::Error for SetTenantContextError {}

macro_rules! variants {
    ($($variant:ident($error:ident)),+) => {$(
        impl From<$error> for TenantError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}

variants! {
    InvalidTenantId(InvalidTenantIdError),
    TenantContextNotSet(TenantContextNotSetError),
    TenantMismatch(TenantMismatchError),
    TenantNotFound(TenantNotFoundError),
    UnauthorizedTenantAccess(UnauthorizedTenantAccessError),
    TenantValidation(TenantValidationError)
}

impl core::error::Error for TenantContextNotSetError {}
impl core::error::Error for TenantMismatchError {}
impl core::error::Error for TenantNotFoundError {}
impl core::error::Error for UnauthorizedTenantAccessError {}
impl core::error::Error for TenantValidationError {}
