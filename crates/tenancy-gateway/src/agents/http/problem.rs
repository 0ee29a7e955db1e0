//! Errors of the registry as problems.

use tenancy_agents::{AgentError, InvalidAgentError};

use crate::problem::{More, Problem};

impl From<AgentError> for Problem {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::NO_AGENT,
            AgentError::NameTaken => Self::NAME_TAKEN,
            AgentError::NameShared => Self::NAME_SHARED,
            AgentError::NameHeld(by) => {
                Self::NAME_HELD.with(More::Holders { holder: by.first, others: by.others })
            }
            AgentError::Revision { .. } | AgentError::Contention => Self::REVISION,
            AgentError::Transition(step) => {
                Self::TRANSITION.with(More::Step { from: step.from(), to: step.to() })
            }
            AgentError::Deleted => Self::AGENT_DELETED,
            AgentError::ReadOnly => Self::AGENT_READ_ONLY,
            AgentError::Quota { .. } => Self::AGENTS_FULL,
            AgentError::Full => {
                tracing::error!("cannot store an agent: memory or disk is full");
                Self::NO_ROOM
            }
            AgentError::Unavailable(_) => {
                tracing::warn!(%error, "agent store failed");
                Self::UNAVAILABLE
            }
            AgentError::NoTenant(error) => error.into(),
            error => {
                tracing::error!(%error, "agent store failed");
                Self::INTERNAL
            }
        }
    }
}

impl From<InvalidAgentError> for Problem {
    fn from(error: InvalidAgentError) -> Self {
        Self::AGENT_FORM.with(More::Member { member: error.field.as_str(), rule: error.kind })
    }
}
