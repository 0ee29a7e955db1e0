//! The agents that are there at the start.

use tenancy::{TenantContext, TenantId};
use tenancy_agents::{
    AgentContent, AgentId, AgentName, AgentStatus, Approval, Capabilities, Endpoint, Text, Tier, Visibility,
    immediate,
};

use super::REGISTRY;
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
        description: "For every tenant to read and to run.",
        tier: Tier::Premium,
        visibility: Visibility::Shared,
        capabilities: &["translate"],
        status: AgentStatus::Active,
    },
    seed(TenantId::PLATFORM, "auditor", "Auditor", "The platform's own.", AgentStatus::Active),
    seed(ACME, "support", "Support", "Answers those who ask.", AgentStatus::Active),
    seed(
        ACME,
        "triage",
        "\"Triage\"",
        "Sorts tickets:\n\t\"urgent\" first, from C:\\tickets; auch Störungen, 日本語 and 🦀.",
        AgentStatus::Draft,
    ),
    seed(ACME, "retired", "Retired", "Was here once.", AgentStatus::Deleted),
    seed(GLOBEX, "support", "Support", "Has the name that another tenant's has.", AgentStatus::Active),
    seed(GLOBEX, "dispatch", "Dispatch", "Waits for the platform's word.", AgentStatus::PendingApproval),
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

/// Registers them, and takes each as far as it goes. Whether all are there.
pub(crate) fn plant() -> bool {
    SEEDS.iter().all(|seed| {
        let is_planted = TenantContext::scope(seed.tenant, || seed.plant()).is_some();
        if !is_planted {
            defmt::error!("no place for the agent {=str}", seed.name);
        }
        is_planted
    })
}

impl Seed {
    fn plant(&self) -> Option<()> {
        let id = self.register()?;
        self.advance(id)
    }

    /// Not a part of its caller: what it has on the stack is gone when the agent takes its steps.
    #[inline(never)]
    fn register(&self) -> Option<AgentId> {
        let name = AgentName::parse(self.name).ok()?;
        match immediate(REGISTRY.register(name, self.content()?)) {
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
            immediate(REGISTRY.submit(id)).ok()?;
        }
        if decided {
            let approval =
                TenantContext::scope(TenantId::PLATFORM, || Approval::grant(self.tenant, id)).ok()?;
            immediate(REGISTRY.approve(id, &approval)).ok()?;
        }
        if self.status == AgentStatus::Deleted {
            immediate(REGISTRY.deregister(id)).ok()?;
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
