//! What one tenant may have of a memory and of a time that all of them share.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod limiter;
mod map;

pub use limiter::{Quota, RateLimitedError, TenantLimiter};
pub use map::{TenantMap, TenantMapFullError, TenantMapFullKind};
