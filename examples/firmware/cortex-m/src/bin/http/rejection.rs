//! Error responses.

use tenancy::{InvalidTenantIdKind, RateLimitedError, ResolveTenantError, TenantError};
use tenancy_agents::AgentError;

/// An error response. Its texts are constants of this program and contain nothing of the request.
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) extra: ExtraHeader,
}

/// A header field that only some statuses have.
#[derive(Clone, Copy)]
pub(crate) enum ExtraHeader {
    None,
    Allow(&'static str),
    RetryAfter(u64),
}

impl Rejection {
    pub(crate) const INVALID_REQUEST: Self = Self::new(400, "Bad Request", "invalid HTTP request");
    pub(crate) const INVALID_QUERY: Self = Self::new(400, "Bad Request", "invalid query");
    pub(crate) const UNKNOWN_PATH: Self = Self::new(404, "Not Found", "path not found");
    /// The response for an unknown agent, another tenant's agent and an invalid id, so that a client cannot tell them
    /// apart.
    pub(crate) const UNKNOWN_AGENT: Self = Self::new(404, "Not Found", "agent not found");
    pub(crate) const HEAD_TOO_LARGE: Self =
        Self::new(431, "Request Header Fields Too Large", "request head too large");

    const fn new(status: u16, reason: &'static str, detail: &'static str) -> Self {
        Self { status, reason, detail, extra: ExtraHeader::None }
    }

    /// Rejects a method that is not in `allowed`.
    pub(crate) const fn method(allowed: &'static str) -> Self {
        let extra = ExtraHeader::Allow(allowed);
        Self { extra, ..Self::new(405, "Method Not Allowed", "method not allowed") }
    }

    pub(crate) const fn internal(detail: &'static str) -> Self {
        Self::new(500, "Internal Server Error", detail)
    }
}

impl From<ResolveTenantError> for Rejection {
    fn from(error: ResolveTenantError) -> Self {
        let detail = match error {
            ResolveTenantError::Missing => "missing X-Tenant-ID",
            ResolveTenantError::Duplicate => "duplicate X-Tenant-ID",
            ResolveTenantError::Conflict => "conflicting tenants",
            ResolveTenantError::Invalid(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => "X-Tenant-ID is a reserved id",
                _ => "X-Tenant-ID is not a tenant id",
            },
            // The enum can get more variants.
            _ => "X-Tenant-ID is not valid",
        };
        Self::new(400, "Bad Request", detail)
    }
}

impl From<TenantError> for Rejection {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::TenantNotFound(_) => Self::new(404, "Not Found", "tenant not found"),
            TenantError::TenantValidation(_) => Self::new(403, "Forbidden", "tenant is suspended"),
            // The program calls nothing that returns another error.
            _ => Self::internal("no tenant context"),
        }
    }
}

impl From<RateLimitedError> for Rejection {
    fn from(error: RateLimitedError) -> Self {
        let extra = ExtraHeader::RetryAfter(error.retry_after_seconds());
        Self { extra, ..Self::new(429, "Too Many Requests", "rate limit of the tenant exceeded") }
    }
}

impl From<AgentError> for Rejection {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::UNKNOWN_AGENT,
            AgentError::ReadOnly => Self::new(403, "Forbidden", "agent belongs to the platform"),
            AgentError::Deleted => Self::new(410, "Gone", "agent is deleted"),
            // The program calls nothing that returns another error.
            _ => Self::internal("agent registry failed"),
        }
    }
}
