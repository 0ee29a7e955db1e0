//! The query of the page, which its links contain.

use std::fmt;

use serde::Deserialize;
use tenancy::TenantId;
use tenancy_agents::{AgentId, AgentStatus};

/// The query of the page. Links change one member and keep the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only agents with this status.
    pub(super) status: Option<AgentStatus>,
    /// Only agents with a greater id.
    pub(super) after: Option<AgentId>,
    /// Only tenants with a greater id, on the page of the platform.
    pub(super) tenants_after: Option<TenantId>,
}

/// Formats the query of a link.
impl fmt::Display for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, after, tenants_after } = self;
        let mut separator = '?';
        let mut part = |name, value: Option<&dyn fmt::Display>| match value {
            None => Ok(()),
            Some(value) => {
                write!(f, "{separator}{name}={value}")?;
                separator = '&';
                Ok(())
            }
        };
        part("status", status.as_ref().map(|it| it as _))?;
        part("after", after.as_ref().map(|it| it as _))?;
        part("tenants_after", tenants_after.as_ref().map(|it| it as _))
    }
}
