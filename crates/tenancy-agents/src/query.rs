//! Which agents are wanted.

use crate::agent::{Agent, Capability, Tier};
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::visibility::Visibility;

/// Which agents are wanted, of those that the tenant sees. What is `None` is any; but a tombstone is there only for
/// who asks for [`AgentStatus::Deleted`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<AgentStatus>,
    /// With this tag.
    pub capability: Option<Capability>,
    /// Of this tier.
    pub tier: Option<Tier>,
    /// Private, or shared.
    pub visibility: Option<Visibility>,
}

/// A page of agents, by their ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Which.
    pub filter: Filter,
    /// Those with a greater id: where the page before ended. It need not be an agent's.
    pub after: Option<AgentId>,
    /// How many at most. A page of none is an empty one, and the last.
    pub limit: usize,
}

impl Filter {
    /// Those that are in use, and have a tag.
    pub fn active_with(capability: Capability) -> Self {
        Self { status: Some(AgentStatus::Active), capability: Some(capability), ..Self::default() }
    }

    /// Whether an agent is wanted. Who sees it is another question:
    /// [`is_visible_to`](Agent::is_visible_to).
    pub fn matches(&self, agent: &Agent) -> bool {
        let is_in_state = match self.status {
            None => agent.is_living(),
            Some(status) => agent.status == status,
        };
        is_in_state
            && self.tier.is_none_or(|tier| agent.content.tier == tier)
            && self.visibility.is_none_or(|visibility| agent.content.visibility == visibility)
            && self.capability.as_ref().is_none_or(|tag| agent.content.capabilities.contains(tag))
    }
}

impl Query {
    /// The first page.
    pub fn first(filter: Filter, limit: usize) -> Self {
        Self { filter, after: None, limit }
    }

    /// Whether an agent may be on the page: it is wanted, and not before it.
    pub fn matches(&self, agent: &Agent) -> bool {
        self.after.is_none_or(|after| agent.id > after) && self.filter.matches(agent)
    }
}
