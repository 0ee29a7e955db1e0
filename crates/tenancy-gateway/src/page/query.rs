//! Which part of the page is wanted: what its links have.

use std::fmt;

use serde::Deserialize;
use tenancy::TenantId;
use tenancy_agents::{AgentId, AgentStatus};

/// Links change one of them, and keep the others as far as they make sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Agents in this state.
    pub(super) status: Option<AgentStatus>,
    /// With a greater id.
    pub(super) after: Option<AgentId>,
    /// Tenants with a greater id: the platform's page has them.
    pub(super) tenants_after: Option<TenantId>,
}

/// As a link.
impl fmt::Display for Wanted {
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
