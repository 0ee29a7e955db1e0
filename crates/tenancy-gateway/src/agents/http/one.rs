//! One agent.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tenancy_agents::{A2aCard, Agent, AgentContent, AgentName, Transition};

use super::etag::{self, Conditions};
use super::id::{Id, known};
use super::patch;
use super::view::{AgentResponse, AgentView, CardView};
use crate::problem::Problem;
use crate::state::App;

/// Reads an agent.
///
/// Deleted agents of the tenant are returned too.
#[utoipa::path(get, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-None-Match" = Option<String>, Header, description = "The ETag of a copy. A heartbeat does not change it: omit the field to read the last heartbeat"),
), responses(
    (status = 200, description = "The agent", body = AgentView, headers(("ETag"))),
    (status = 304, description = "The copy is current", headers(("ETag"))),
    (status = 404, description = "no-such-agent"),
    (status = 412, description = "revision"),
))]
pub(super) async fn read(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<Response, Problem> {
    let id = known(id)?;
    let conditions = Conditions::of(&headers)?;
    let agent = app.agents.get(id).await?;
    if !conditions.allow(&agent) {
        return Err(Problem::REVISION);
    }
    if conditions.exclude(&agent) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::of(&agent))]).into_response());
    }
    Ok(AgentResponse(agent).into_response())
}

/// Reads an agent by name: the tenant's own, or a shared one of the platform.
///
/// The response has no entity tag: the name can be used again by another agent, which has the same revision numbers.
#[utoipa::path(get, path = "/v1/agents/by-name/{name}", tag = "agents", params(
    ("name" = String, Path, description = "The agent's name"),
), responses(
    (status = 200, description = "The agent", body = AgentView),
    (status = 404, description = "no-such-agent"),
))]
pub(super) async fn by_name(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Agent>, Problem> {
    let Path(name) = name.map_err(|_| Problem::NO_AGENT)?;
    // A malformed name is the name of no agent.
    let name = AgentName::parse(&name).map_err(|_| Problem::NO_AGENT)?;
    Ok(Json(app.agents.get_by_name(&name).await?))
}

/// Changes an agent by a merge patch (RFC 7396).
///
/// The patch applies to the revision in `If-Match`. `*` is the current one.
#[utoipa::path(patch, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = String, Header, description = "The ETag of the revision to change"),
), request_body(content(
    (Map<String, Value> = "application/merge-patch+json"),
    (Map<String, Value> = "application/json"),
)), responses(
    (status = 200, description = "The changed agent", body = AgentView, headers(("ETag"))),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 409, description = "name-held"),
    (status = 410, description = "agent-deleted"),
    (status = 412, description = "revision"),
    (status = 415, description = "content-type", headers(("Accept-Patch"))),
    (status = 422, description = "agent-form, wrong-shape"),
    (status = 428, description = "precondition-required"),
))]
pub(super) async fn update(
    State(app): State<App>,
    id: Id,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let id = known(id)?;
    let conditions = Conditions::of(&headers)?;
    if !conditions.name_a_revision() {
        return Err(Problem::PRECONDITION);
    }
    if !patch::is_patch(&headers) {
        return Ok(patch::refuse_type());
    }
    let patch = patch::read(body)?;
    let revision = etag::revision(&app, id, &headers).await?;
    // The store applies the patch in its transaction, so that concurrent changes are neither lost nor an error.
    let patched = app.agents.update_with(id, revision, move |content: &mut AgentContent| {
        *content = patch::apply(content, patch.clone())?;
        Ok::<_, Problem>(())
    });
    Ok(AgentResponse(patched.await?).into_response())
}

/// Deletes an agent. A tombstone remains, and the name can be used again.
///
/// Deleting it again succeeds.
#[utoipa::path(delete, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision to delete"),
), responses(
    (status = 204, description = "The agent is deleted"),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 412, description = "revision"),
))]
pub(super) async fn delete(
    State(app): State<App>,
    id: Id,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = known(id)?;
    let revision = etag::revision(&app, id, &headers).await?;
    app.agents.step(id, Transition::Delete, revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads an agent's A2A agent card: the stored one with later changes, or one that is created from the agent.
#[utoipa::path(get, path = "/v1/agents/{id}/card", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The card", body = CardView),
    (status = 404, description = "no-such-agent"),
))]
pub(super) async fn card(State(app): State<App>, id: Id) -> Result<Json<A2aCard>, Problem> {
    let agent = app.agents.get(known(id)?).await?;
    Ok(Json(A2aCard::of(&agent)))
}

/// Records that an agent is alive. A heartbeat does not change the revision.
#[utoipa::path(post, path = "/v1/agents/{id}/heartbeat", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that is alive"),
), responses(
    (status = 204, description = "The heartbeat is recorded"),
    (status = 403, description = "agent-read-only"),
    (status = 404, description = "no-such-agent"),
    (status = 410, description = "agent-deleted"),
    (status = 412, description = "revision"),
))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    id: Id,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = known(id)?;
    let conditions = Conditions::of(&headers)?;
    if conditions.name_a_revision() && !conditions.allow(&app.agents.get(id).await?) {
        return Err(Problem::REVISION);
    }
    app.agents.heartbeat(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
