//! What goes wrong around a tenant, and the enum of it all.

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

/// Something belongs to another tenant than the one at work.
///
/// Neither its `Display` nor its `Debug` names the other tenant: they end up in answers and logs that the
/// first one may read. [`found`](Self::found) tells it to an audit log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TenantMismatchError {
    expected: TenantId,
    found: TenantId,
}

/// No directory knows the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantNotFoundError {
    tenant: TenantId,
}

/// The caller may not act for the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnauthorizedTenantAccessError {
    tenant: TenantId,
}

/// The tenant is known, and its state forbids the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantValidationError {
    tenant: TenantId,
    kind: TenantValidationKind,
}

/// The state that forbids a tenant's work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TenantValidationKind {
    /// The platform suspended the tenant.
    Suspended,
    /// The tenant is being removed, or was.
    Deleted,
}

impl TenantMismatchError {
    /// The tenant at work is `expected`; what it met belongs to `found`.
    pub const fn new(expected: TenantId, found: TenantId) -> Self {
        Self { expected, found }
    }

    /// The tenant at work.
    pub const fn expected(&self) -> TenantId {
        self.expected
    }

    /// The tenant to which the thing belongs: for an audit log, not for the caller.
    pub const fn found(&self) -> TenantId {
        self.found
    }
}

impl TenantNotFoundError {
    /// The error of an unknown tenant.
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    /// The tenant that was looked for.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl UnauthorizedTenantAccessError {
    /// The error of a caller who may not act for `tenant`.
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    /// The tenant that was asked for.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl TenantValidationError {
    /// The error of a tenant in the state `kind`.
    pub const fn new(tenant: TenantId, kind: TenantValidationKind) -> Self {
        Self { tenant, kind }
    }

    /// The tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Its state.
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
        write!(f, "tenant mismatch: tenant {} met what belongs to another tenant", self.expected)
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

/// Any error of the core.
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
