//! An agent and its parts.

mod capability;
mod name;
mod tier;

use tenancy::TenantId;

use crate::card::Card;
use crate::clock::UnixMillis;
use crate::fields::content_fields;
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Description, Endpoint, Text};
use crate::visibility::Visibility;

pub use capability::{Capabilities, Capability};
pub use name::AgentName;
pub use tier::Tier;

/// An agent in a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// The id. Ids increase with time.
    pub id: AgentId,
    /// The tenant that owns the agent. It never changes.
    pub tenant: TenantId,
    /// The name. It never changes, and is unique among the tenant's agents that are not deleted.
    pub name: AgentName,
    /// What the tenant says about the agent.
    pub content: AgentContent,
    /// The state of the agent's life.
    pub status: AgentStatus,
    /// The number of changes, counted from 1. A heartbeat is not a change.
    pub revision: u64,
    /// The time of the registration.
    pub created_at: UnixMillis,
    /// The time of the last change.
    pub updated_at: UnixMillis,
    /// The time of the last heartbeat.
    pub last_seen_at: Option<UnixMillis>,
}

macro_rules! content {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// What a tenant says about an agent, and can change later.
        ///
        /// ```
        /// use tenancy_agents::{AgentContent, Capabilities, Tier};
        ///
        /// let content = AgentContent::new()
        ///     .display_name("Support".parse()?)
        ///     .capabilities(Capabilities::parse(["chat"])?)
        ///     .tier(Tier::Premium);
        /// assert_eq!(content.display_name.as_str(), "Support");
        /// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
        /// ```
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct AgentContent {$(
            $(#[$doc])*
            pub $field: $type,
        )+}

        impl AgentContent {
            /// Returns the content of an agent about which nothing is said.
            pub fn new() -> Self {
                Self::default()
            }

            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

content_fields!(content);

impl Agent {
    /// Returns a new draft at revision 1.
    pub const fn new(
        id: AgentId,
        tenant: TenantId,
        name: AgentName,
        content: AgentContent,
        created_at: UnixMillis,
    ) -> Self {
        Self {
            id,
            tenant,
            name,
            content,
            status: AgentStatus::Draft,
            revision: 1,
            created_at,
            updated_at: created_at,
            last_seen_at: None,
        }
    }

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
