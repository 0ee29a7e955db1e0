//! By `tracing`.

use crate::TenantId;

pub(in crate::context) fn set(tenant: TenantId) {
    tracing::debug!(tenant.id = %tenant, "tenant context set");
}

pub(in crate::context) fn cleared() {
    tracing::debug!("tenant context cleared");
}

pub(in crate::context) fn refused() {
    tracing::error!("tenant context not set: an interrupt handler needs a scope of its own");
}
