//! The content of the page.

use tenancy::{TenantId, TenantRecord};
use tenancy_agents::{Agent, AgentId, AgentStatus, UnixMillis};

use super::query::ListQuery;

/// The content of the page.
pub(super) struct Home {
    pub(super) principal: String,
    pub(super) tenant: TenantId,
    pub(super) slug: Option<String>,
    pub(super) wanted: ListQuery,
    pub(super) counts: Counts,
    pub(super) agents: Vec<Row>,
    pub(super) next: Option<AgentId>,
    /// For the platform only.
    pub(super) tenants: Option<TenantsPage>,
}

/// The parts of an agent that the page shows, without its card, which can be large.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) status: AgentStatus,
    pub(super) tier: &'static str,
    pub(super) capabilities: Vec<String>,
    pub(super) endpoint: String,
    pub(super) last_seen_at: Option<UnixMillis>,
    /// Whose agent it is, and who sees it.
    pub(super) sharing: Sharing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// An agent of the tenant.
    Own,
    /// An agent of the tenant that all tenants see.
    OwnShared,
    /// A shared agent of the platform.
    Platform,
}

pub(super) struct TenantsPage {
    /// `None` instead of numbers if the tenant's store fails, so that the other tenants are still shown.
    pub(super) tenants: Vec<(TenantRecord, Option<Counts>)>,
    pub(super) next: Option<TenantId>,
}

/// The number of agents with each status.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts([u64; AgentStatus::ALL.len()]);

impl Counts {
    pub(super) fn each(&self) -> impl Iterator<Item = (AgentStatus, u64)> + use<> {
        AgentStatus::ALL.into_iter().zip(self.0)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (AgentStatus, &mut u64)> {
        AgentStatus::ALL.into_iter().zip(&mut self.0)
    }

    pub(super) fn subtract(&mut self, status: AgentStatus, number: u64) {
        let count = &mut self.0[status as usize];
        *count = count.saturating_sub(number);
    }

    /// Returns the number of agents that are not deleted.
    pub(super) fn present(&self) -> u64 {
        self.each().filter(|(status, _)| *status != AgentStatus::Deleted).map(|(_, count)| count).sum()
    }
}

impl Row {
    pub(super) fn of(agent: &Agent, tenant: TenantId) -> Self {
        let content = &agent.content;
        let sharing = match (agent.tenant == tenant, agent.is_shared()) {
            (false, _) => Sharing::Platform,
            (true, true) => Sharing::OwnShared,
            (true, false) => Sharing::Own,
        };
        Self {
            name: agent.name.as_str().to_owned(),
            display_name: content.display_name.as_str().to_owned(),
            description: content.description.as_str().to_owned(),
            version: content.version.as_str().to_owned(),
            status: agent.status,
            tier: content.tier.as_str(),
            capabilities: content.capabilities.iter().map(|tag| tag.as_str().to_owned()).collect(),
            endpoint: content.endpoint.as_str().to_owned(),
            last_seen_at: agent.last_seen_at,
            sharing,
        }
    }
}

/// Returns a status as words.
pub(super) fn words(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Draft => "draft",
        AgentStatus::PendingApproval => "pending approval",
        AgentStatus::Active => "active",
        AgentStatus::Rejected => "rejected",
        AgentStatus::Suspended => "suspended",
        AgentStatus::Deprecated => "deprecated",
        AgentStatus::Deleted => "deleted",
    }
}
