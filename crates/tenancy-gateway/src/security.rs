//! Security events: log records with stable names, apart from the access log.
//!
//! The target of the records is [`TARGET`], and their message is the name of the event. `docs/gateway/security-events.md`
//! describes the fields.

use tenancy::TenantId;

use crate::principals::Principal;

/// The target of the records.
pub const TARGET: &str = "tenancy_gateway::security";

/// Records that a caller sent a token that is unknown.
pub(crate) fn credentials_rejected() {
    tracing::warn!(target: TARGET, event = "credentials.rejected", "security event");
}

/// Records that a caller named a tenant that it may not act for.
pub(crate) fn tenant_forbidden(principal: &Principal, tenant: TenantId) {
    tracing::warn!(
        target: TARGET,
        event = "tenant.forbidden",
        principal = principal.name(),
        claimed.tenant.id = %tenant,
        "security event"
    );
}

/// Records that a caller used a route of the platform.
pub(crate) fn platform_accessed(method: &str, path: &str) {
    tracing::info!(target: TARGET, event = "platform.accessed", method, path, "security event");
}

/// Records that a caller who does not act for the platform used one of its routes.
pub(crate) fn platform_forbidden(method: &str, path: &str) {
    tracing::warn!(target: TARGET, event = "platform.forbidden", method, path, "security event");
}
