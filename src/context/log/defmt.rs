//! By `defmt`.

use crate::TenantId;

pub(in crate::context) fn set(tenant: TenantId) {
    defmt::debug!("tenant context set: {}", tenant);
}

pub(in crate::context) fn cleared() {
    defmt::debug!("tenant context cleared");
}

pub(in crate::context) fn refused() {
    defmt::error!("tenant context not set: an interrupt handler needs TenantContext::scope or ::interrupt");
}
