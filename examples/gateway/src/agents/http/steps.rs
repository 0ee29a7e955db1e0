//! What a tenant does with its agents.

use axum::extract::State;
use axum::http::StatusCode;

use super::view::{AgentView, Answer};
use super::{Id, known};
use crate::app::App;
use crate::problem::Problem;

/// Asks the platform for its word: `draft → pending_approval`.
#[utoipa::path(post, path = "/v1/agents/{id}/submit", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
))]
pub(super) async fn submit(State(app): State<App>, id: Id) -> Result<Answer, Problem> {
    Ok(Answer(app.agents.submit(known(id)?).await?))
}

/// Takes an agent out of use for now: `active → suspended`.
#[utoipa::path(post, path = "/v1/agents/{id}/suspend", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
))]
pub(super) async fn suspend(State(app): State<App>, id: Id) -> Result<Answer, Problem> {
    Ok(Answer(app.agents.suspend(known(id)?).await?))
}

/// Takes an agent into use again: `suspended → active`.
#[utoipa::path(post, path = "/v1/agents/{id}/resume", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition, name-held"),
))]
pub(super) async fn resume(State(app): State<App>, id: Id) -> Result<Answer, Problem> {
    Ok(Answer(app.agents.resume(known(id)?).await?))
}

/// An agent is not to be chosen anew: `active → deprecated`.
#[utoipa::path(post, path = "/v1/agents/{id}/deprecate", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
))]
pub(super) async fn deprecate(State(app): State<App>, id: Id) -> Result<Answer, Problem> {
    Ok(Answer(app.agents.deprecate(known(id)?).await?))
}

/// Notes that an agent is alive. That makes no revision.
#[utoipa::path(post, path = "/v1/agents/{id}/heartbeat", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 204, description = "It is noted"),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 410, description = "agent-deleted"),
))]
pub(super) async fn heartbeat(State(app): State<App>, id: Id) -> Result<StatusCode, Problem> {
    app.agents.heartbeat(known(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
