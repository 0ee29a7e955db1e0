//! What a tenant does with its agents.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tenancy_agents::Transition;

use super::view::{AgentView, Answer};
use super::{Id, etag, known};
use crate::app::App;
use crate::problem::Problem;

/// Asks the platform for its word: `draft → pending_approval`.
#[utoipa::path(post, path = "/v1/agents/{id}/submit", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that this is for"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
    (status = 412, description = "revision"),
))]
pub(super) async fn submit(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<Answer, Problem> {
    step(&app, id, &headers, Transition::Submit).await
}

/// Takes an agent out of use for now: `active → suspended`.
#[utoipa::path(post, path = "/v1/agents/{id}/suspend", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that this is for"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
    (status = 412, description = "revision"),
))]
pub(super) async fn suspend(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<Answer, Problem> {
    step(&app, id, &headers, Transition::Suspend).await
}

/// Takes an agent into use again: `suspended → active`.
#[utoipa::path(post, path = "/v1/agents/{id}/resume", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that this is for"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition, name-held"),
    (status = 412, description = "revision"),
))]
pub(super) async fn resume(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<Answer, Problem> {
    step(&app, id, &headers, Transition::Resume).await
}

/// An agent is not to be chosen anew: `active → deprecated`.
#[utoipa::path(post, path = "/v1/agents/{id}/deprecate", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that this is for"),
), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "invalid-transition"),
    (status = 412, description = "revision"),
))]
pub(super) async fn deprecate(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<Answer, Problem> {
    step(&app, id, &headers, Transition::Deprecate).await
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

async fn step(app: &App, id: Id, headers: &HeaderMap, step: Transition) -> Result<Answer, Problem> {
    let id = known(id)?;
    let only = etag::only(app, id, headers).await?;
    Ok(Answer(app.agents.step(id, step, only).await?))
}
