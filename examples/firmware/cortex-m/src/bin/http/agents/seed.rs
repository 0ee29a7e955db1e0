//! The agents that exist after a reset.

use tenancy::{TenantContext, TenantId};
use tenancy_agents::{
    AgentContent, AgentId, AgentName, AgentStatus, Approval, Capabilities, Endpoint, Text, Tier, Visibility,
    block_on_ready,
};

use super::registry::REGISTRY;
use crate::tenants::{ACME, GLOBEX};

struct Seed {
    tenant: TenantId,
    name: &'static str,
    display_name: &'static str,
    description: &'static str,
    tier: Tier,
    visibility: Visibility,
    capabilities: &'static [&'static str],
    status: AgentStatus,
}

const SEEDS: [Seed; 7] = [
    Seed {
        tenant: TenantId::PLATFORM,
        name: "translator",
        display_name: "Translator",
        description: "Can be read and run by every tenant.",
        tier: Tier::Premium,
        visibility: Visibility::Shared,
        capabilities: &["translate"],
        status: AgentStatus::Active,
    },
    seed(TenantId::PLATFORM, "auditor", "Auditor", "Visible to the platform only.", AgentStatus::Active),
    seed(ACME, "support", "Support", "Answers questions of customers.", AgentStatus::Active),
    seed(
        ACME,
        "triage",
        "\"Triage\"",
        "Sorts tickets:\n\t\"urgent\" first, from C:\\tickets; auch Störungen, 日本語 and 🦀.",
        AgentStatus::Draft,
    ),
    seed(ACME, "retired", "Retired", "Deleted, but can be listed by its tenant.", AgentStatus::Deleted),
    seed(GLOBEX, "support", "Support", "Has the same name as another tenant's agent.", AgentStatus::Active),
    seed(GLOBEX, "dispatch", "Dispatch", "Waits for approval by the platform.", AgentStatus::PendingApproval),
];

const fn seed(
    tenant: TenantId,
    name: &'static str,
    display_name: &'static str,
    description: &'static str,
    status: AgentStatus,
) -> Seed {
    let (tier, visibility) = (Tier::Standard, Visibility::Private);
    Seed {
        tenant,
        name,
        display_name,
        description,
        tier,
        visibility,
        capabilities: &["chat", "mail"],
        status,
    }
}

/// Registers all agents and brings each to its status. Returns whether all of them succeeded.
pub(crate) fn register_all() -> bool {
    SEEDS.iter().all(|seed| {
        let is_ready = TenantContext::scope(seed.tenant, || seed.create()).is_some();
        if !is_ready {
            defmt::error!("agent not registered: {=str}", seed.name);
        }
        is_ready
    })
}

impl Seed {
    fn create(&self) -> Option<()> {
        let id = self.register()?;
        self.advance(id)
    }

    // Neither of these functions is inlined, so that the agents that both have on the stack do not add up.

    #[inline(never)]
    fn register(&self) -> Option<AgentId> {
        let name = AgentName::parse(self.name).ok()?;
        match block_on_ready(REGISTRY.register(name, self.content()?)) {
            Ok(registered) => Some(registered.agent.id),
            Err(_) => None,
        }
    }

    #[inline(never)]
    fn advance(&self, id: AgentId) -> Option<()> {
        let (submitted, decided) = match self.status {
            AgentStatus::Draft => (false, false),
            AgentStatus::PendingApproval => (true, false),
            _ => (true, true),
        };
        if submitted {
            block_on_ready(REGISTRY.submit(id)).ok()?;
        }
        if decided {
            let approval =
                TenantContext::scope(TenantId::PLATFORM, || Approval::grant(self.tenant, id)).ok()?;
            block_on_ready(REGISTRY.approve(id, &approval)).ok()?;
        }
        if self.status == AgentStatus::Deleted {
            block_on_ready(REGISTRY.deregister(id)).ok()?;
        }
        Some(())
    }

    fn content(&self) -> Option<AgentContent> {
        Some(AgentContent {
            display_name: Text::parse(self.display_name).ok()?,
            description: Text::parse(self.description).ok()?,
            version: Text::parse("1.0.0").ok()?,
            tier: self.tier,
            visibility: self.visibility,
            capabilities: Capabilities::parse(self.capabilities.iter().copied()).ok()?,
            endpoint: Endpoint::parse("https://agents.example/").ok()?,
            owner: Text::parse("operations").ok()?,
            ..AgentContent::default()
        })
    }
}
