//! The errors of the core. No error repeats its input, which may be hostile.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod invalid_id;
mod tenant;

pub use invalid_id::{InvalidTenantIdError, InvalidTenantIdKind};
pub use tenant::{
    SetTenantContextError, TenantContextNotSetError, TenantError, TenantMismatchError, TenantNotFoundError,
    TenantValidationError, TenantValidationKind, UnauthorizedTenantAccessError,
};
