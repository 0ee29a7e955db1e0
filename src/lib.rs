#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod context;
mod directory;
mod error;
mod id;
mod key;
mod quota;
mod resolve;
mod table;

#[cfg(feature = "serde")]
pub mod serde;

pub use context::{InTenant, TenantCell, TenantCellGuard, TenantContext, TenantFutureExt, TenantGuard};
pub use directory::{FixedDirectory, InvalidTenantSlugError, TenantRecord, TenantSlug, TenantStatus};
pub use error::{
    InvalidTenantIdError, InvalidTenantIdKind, TenantContextNotSetError, TenantError, TenantMismatchError,
    TenantNotFoundError, TenantValidationError, TenantValidationKind, UnauthorizedTenantAccessError,
};
pub use id::TenantId;
pub use key::{TenantKey, TenantKeyError, TenantPrefix, TenantTopic};
pub use quota::{Quota, RateLimitedError, TenantLimiter, TenantMap, TenantMapFullError, TenantMapFullKind};
pub use resolve::{ResolveTenantError, TENANT_HEADER, TenantClaims};
