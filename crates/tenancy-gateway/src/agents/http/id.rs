//! The agent's id in a path.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use tenancy_agents::AgentId;
use uuid::Uuid;

use crate::problem::Problem;

/// The id in a path, which may be malformed.
pub(super) type Id = Result<Path<Uuid>, PathRejection>;

/// Returns the id of an agent. A malformed id is the id of no agent.
pub(super) fn known(id: Id) -> Result<AgentId, Problem> {
    id.map(|Path(id)| AgentId::from_uuid(id)).map_err(|_| Problem::NO_AGENT)
}
