#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod context;
mod error;
mod id;

#[cfg(feature = "serde")]
pub mod serde;

pub use context::{InTenant, TenantCell, TenantCellGuard, TenantContext, TenantFutureExt, TenantGuard};
pub use error::{
    InvalidTenantIdError, InvalidTenantIdKind, TenantContextNotSetError, TenantError, TenantMismatchError,
    TenantNotFoundError, TenantValidationError, TenantValidationKind, UnauthorizedTenantAccessError,
};
pub use id::TenantId;
