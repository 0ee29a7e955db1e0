//! Limits of each tenant's memory and rate, in fixed memory.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod limiter;
mod map;

pub use limiter::{Quota, RateLimitedError, TenantLimiter};
pub use map::{TenantMap, TenantMapFullError, TenantMapFullKind};
