//! `defmt::Format` of the errors: short messages.

use super::{
    InvalidTenantIdError, InvalidTenantIdKind, SetTenantContextError, TenantContextNotSetError, TenantError,
    TenantMismatchError, TenantNotFoundError, TenantValidationError, TenantValidationKind,
    UnauthorizedTenantAccessError,
};

impl defmt::Format for InvalidTenantIdKind {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Empty => defmt::write!(f, "Empty"),
            Self::Length => defmt::write!(f, "Length"),
            Self::Character => defmt::write!(f, "Character"),
            Self::Hyphen => defmt::write!(f, "Hyphen"),
            Self::Nil => defmt::write!(f, "Nil"),
            Self::Max => defmt::write!(f, "Max"),
        }
    }
}

impl defmt::Format for InvalidTenantIdError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.position() {
            Some(position) => {
                defmt::write!(f, "invalid tenant id: {} at byte {=usize}", self.kind(), position)
            }
            None => defmt::write!(f, "invalid tenant id: {}", self.kind()),
        }
    }
}

impl defmt::Format for SetTenantContextError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "cannot set a tenant in an interrupt handler outside of a scope");
    }
}

impl defmt::Format for TenantContextNotSetError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "tenant context is not set: the tenant middleware may be missing");
    }
}

impl defmt::Format for TenantMismatchError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "tenant mismatch: the resource does not belong to {}", self.expected());
    }
}

impl defmt::Format for TenantNotFoundError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} not found", self.tenant());
    }
}

impl defmt::Format for UnauthorizedTenantAccessError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "access to {} denied", self.tenant());
    }
}

impl defmt::Format for TenantValidationKind {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Suspended => defmt::write!(f, "suspended"),
            Self::Deleted => defmt::write!(f, "deleted"),
        }
    }
}

impl defmt::Format for TenantValidationError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} is {}", self.tenant(), self.kind());
    }
}

impl defmt::Format for TenantError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::InvalidTenantId(error) => error.format(f),
            Self::TenantContextNotSet(error) => error.format(f),
            Self::TenantMismatch(error) => error.format(f),
            Self::TenantNotFound(error) => error.format(f),
            Self::UnauthorizedTenantAccess(error) => error.format(f),
            Self::TenantValidation(error) => error.format(f),
        }
    }
}
