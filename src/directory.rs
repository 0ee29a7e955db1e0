//! Which tenants exist, and in what state.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod fixed;
mod lookup;
mod record;
mod slug;

pub use fixed::FixedDirectory;
pub use lookup::Directory;
pub use record::{TenantRecord, TenantStatus};
pub use slug::{InvalidTenantSlugError, TenantSlug};
