//! Filters and pages of agents.

use crate::agent::{Agent, Capability, Tier};
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::visibility::Visibility;

/// A filter of the agents that a tenant sees. `None` matches any value, except that deleted agents match only if
/// [`AgentStatus::Deleted`] is requested.
///
/// ```
/// use tenancy_agents::{AgentStatus, Filter, Tier};
///
/// let filter = Filter::new().status(AgentStatus::Active).tier(Tier::Premium);
/// assert_eq!((filter.status, filter.visibility), (Some(AgentStatus::Active), None));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The state.
    pub status: Option<AgentStatus>,
    /// A tag that the agent has.
    pub capability: Option<Capability>,
    /// The tier.
    pub tier: Option<Tier>,
    /// Whether the agent is private or shared.
    pub visibility: Option<Visibility>,
}

/// A request for a page of agents, in the order of their ids.
///
/// ```
/// use tenancy_agents::{Filter, Query};
///
/// let first = Query::first(Filter::new(), 20);
/// assert_eq!((first.limit, first.after), (20, None));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Which agents are on the page.
    pub filter: Filter,
    /// The id after which the page begins. It does not need to be the id of an agent.
    pub after: Option<AgentId>,
    /// The maximum number of agents. A page of 0 agents is empty, and the last one.
    pub limit: usize,
}

impl Filter {
    /// Returns a filter that matches all agents that are not deleted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a filter of the active agents that have a tag.
    pub fn active_with(capability: Capability) -> Self {
        Self::new().status(AgentStatus::Active).capability(capability)
    }

    /// Matches only agents in this state.
    #[must_use]
    pub fn status(self, status: AgentStatus) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Matches only agents that have this tag.
    #[must_use]
    pub fn capability(self, capability: Capability) -> Self {
        Self { capability: Some(capability), ..self }
    }

    /// Matches only agents of this tier.
    #[must_use]
    pub fn tier(self, tier: Tier) -> Self {
        Self { tier: Some(tier), ..self }
    }

    /// Matches only agents that are private, or only those that are shared.
    #[must_use]
    pub fn visibility(self, visibility: Visibility) -> Self {
        Self { visibility: Some(visibility), ..self }
    }

    /// Returns whether the filter matches an agent. Whether the tenant sees the agent is decided by
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
    /// Returns the request for the first page.
    pub fn first(filter: Filter, limit: usize) -> Self {
        Self { filter, after: None, limit }
    }

    /// Requests the agents after this id.
    #[must_use]
    pub fn after(self, id: AgentId) -> Self {
        Self { after: Some(id), ..self }
    }

    /// Returns whether an agent may be on the page: the filter matches it, and its id is after the start.
    pub fn matches(&self, agent: &Agent) -> bool {
        self.after.is_none_or(|after| agent.id > after) && self.filter.matches(agent)
    }
}
