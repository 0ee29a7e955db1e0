//! Helpers that several modules use.

#[cfg(feature = "postgres")]
pub(crate) mod database;
#[cfg(feature = "sqlite")]
pub(crate) mod files;

use tenancy::{TenantId, tenant_id};

pub(crate) const A: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
pub(crate) const B: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
#[cfg(feature = "postgres")]
pub(crate) const C: TenantId = tenant_id!("cccccccc-cccc-4ccc-8ccc-cccccccccccc");
#[cfg(feature = "json")]
pub(crate) const P: TenantId = TenantId::PLATFORM;
