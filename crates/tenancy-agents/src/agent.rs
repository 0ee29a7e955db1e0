//! An agent, and what it is made of.

mod capability;
mod name;
mod tier;

use tenancy::TenantId;

use crate::card::Card;
use crate::clock::UnixMillis;
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Endpoint, Text};
use crate::visibility::Visibility;

pub use capability::{Capabilities, Capability};
pub use name::AgentName;
pub use tier::Tier;

/// An agent, as its registry keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// Its id, which grows with time.
    pub id: AgentId,
    /// Whose it is, for good.
    pub tenant: TenantId,
    /// By what its tenant calls it, for good: no two that are not deleted have the same.
    pub name: AgentName,
    /// What its tenant says of it.
    pub content: AgentContent,
    /// How far it has come.
    pub status: AgentStatus,
    /// 1 at first, and one more with each change. A heartbeat is none.
    pub revision: u64,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// When its revision was made.
    pub updated_at: UnixMillis,
    /// Its last heartbeat.
    pub last_seen_at: Option<UnixMillis>,
}

/// What a tenant says of an agent, and may say otherwise later. Two that say the same are equal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AgentContent {
    /// Its name for people.
    pub display_name: Text<128>,
    /// What it is for.
    pub description: Text<512>,
    /// Its version, in whatever form.
    pub version: Text<32>,
    /// How important it is.
    pub tier: Tier,
    /// Who sees it.
    pub visibility: Visibility,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Who answers for it.
    pub owner: Text<64>,
    /// Its card, on hosts. `Card` has no value elsewhere, and this no size.
    pub card: Option<Card>,
}

impl Agent {
    /// Returns whether a tenant sees the agent: the agent is its own, or [is shared](Self::is_shared). Every read of
    /// every store uses this rule, and there is no other flag.
    pub fn is_visible_to(&self, tenant: TenantId) -> bool {
        self.tenant == tenant || self.is_shared()
    }

    /// Returns whether the agent is not deleted. Such an agent occupies its name.
    pub fn is_living(&self) -> bool {
        self.status != AgentStatus::Deleted
    }

    /// Returns whether all tenants see the agent: the platform owns it, and it is active and shared.
    pub fn is_shared(&self) -> bool {
        self.tenant.is_platform()
            && self.status == AgentStatus::Active
            && self.content.visibility == Visibility::Shared
    }
}
