//! Why a request is refused.

use tenancy::{InvalidTenantIdKind, RateLimitedError, ResolveTenantError, TenantError};
use tenancy_agents::AgentError;

/// Why a request is refused: a status and a sentence of this program's own, nothing of the request's.
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str, pub(crate) &'static str, pub(crate) Extra);

/// A header field that the status asks for.
#[derive(Clone, Copy)]
pub(crate) enum Extra {
    None,
    Allow(&'static str),
    RetryAfter(u64),
}

impl Refusal {
    pub(crate) const NO_PATH: Self = Self(404, "Not Found", "no such path", Extra::None);
    /// For what others have, what nobody has, and what is no id: nobody can tell which.
    pub(crate) const NO_AGENT: Self = Self(404, "Not Found", "there is no such agent", Extra::None);
    pub(crate) const QUERY: Self = Self(400, "Bad Request", "the query is not understood", Extra::None);

    /// The path has these methods alone.
    pub(crate) const fn method(allowed: &'static str) -> Self {
        Self(405, "Method Not Allowed", "the path has no such method", Extra::Allow(allowed))
    }

    pub(crate) const fn internal(detail: &'static str) -> Self {
        Self(500, "Internal Server Error", detail, Extra::None)
    }
}

impl From<ResolveTenantError> for Refusal {
    fn from(error: ResolveTenantError) -> Self {
        let detail = match error {
            ResolveTenantError::Missing => "X-Tenant-ID is missing",
            ResolveTenantError::Duplicate => "X-Tenant-ID stands twice",
            ResolveTenantError::Conflict => "more than one tenant is named",
            ResolveTenantError::Invalid(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => "X-Tenant-ID is a reserved id",
                _ => "X-Tenant-ID is not a tenant id",
            },
        };
        Self(400, "Bad Request", detail, Extra::None)
    }
}

impl From<TenantError> for Refusal {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::TenantNotFound(_) => Self(404, "Not Found", "no such tenant", Extra::None),
            TenantError::TenantValidation(_) => {
                Self(403, "Forbidden", "the tenant is suspended", Extra::None)
            }
            // Nothing else is asked here.
            _ => Self::internal("no tenant context"),
        }
    }
}

impl From<RateLimitedError> for Refusal {
    fn from(error: RateLimitedError) -> Self {
        let extra = Extra::RetryAfter(error.retry_after_seconds());
        Self(429, "Too Many Requests", "the tenant is over its limit", extra)
    }
}

impl From<AgentError> for Refusal {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::NO_AGENT,
            AgentError::ReadOnly => Self(403, "Forbidden", "the agent is the platform's", Extra::None),
            AgentError::Deleted => Self(410, "Gone", "the agent is deleted", Extra::None),
            // Nothing else is asked here.
            _ => Self::internal("no agents"),
        }
    }
}
