//! What a context logs: by `defmt` on bare metal, by `tracing` on hosts.

#[cfg(all(feature = "defmt", target_os = "none"))]
pub(super) use self::by_defmt::{cleared, rejected, set};
#[cfg(all(feature = "tracing", not(target_os = "none")))]
pub(super) use self::by_tracing::{cleared, rejected, set};
#[cfg(not(any(
    all(feature = "defmt", target_os = "none"),
    all(feature = "tracing", not(target_os = "none"))
)))]
pub(super) use self::disabled::{cleared, rejected, set};

#[cfg(all(feature = "defmt", target_os = "none"))]
mod by_defmt {
    use crate::TenantId;

    pub(in crate::context) fn set(tenant: TenantId) {
        defmt::debug!("tenant context set: {}", tenant);
    }

    pub(in crate::context) fn cleared() {
        defmt::debug!("tenant context cleared");
    }

    pub(in crate::context) fn rejected() {
        defmt::error!(
            "tenant context not set: an interrupt handler needs TenantContext::scope or ::interrupt"
        );
    }
}

#[cfg(all(feature = "tracing", not(target_os = "none")))]
mod by_tracing {
    use crate::TenantId;

    pub(in crate::context) fn set(tenant: TenantId) {
        tracing::debug!(tenant.id = %tenant, "tenant context set");
    }

    pub(in crate::context) fn cleared() {
        tracing::debug!("tenant context cleared");
    }

    pub(in crate::context) fn rejected() {
        tracing::error!("tenant context not set: an interrupt handler needs a scope of its own");
    }
}

#[cfg(not(any(
    all(feature = "defmt", target_os = "none"),
    all(feature = "tracing", not(target_os = "none"))
)))]
mod disabled {
    use crate::TenantId;

    #[inline]
    pub(in crate::context) fn set(_tenant: TenantId) {}

    #[inline]
    pub(in crate::context) fn cleared() {}

    #[inline]
    pub(in crate::context) fn rejected() {}
}
