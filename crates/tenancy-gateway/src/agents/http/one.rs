//! One agent.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tenancy_agents::{Agent, AgentContent, AgentName, Transition};

use super::etag::{self, Conditions};
use super::view::{AgentView, Answer};
use super::{Id, known, patch};
use crate::app::App;
use crate::problem::Problem;

/// Reads an agent.
///
/// The tenant's own is read though it is deleted.
#[utoipa::path(get, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-None-Match" = Option<String>, Header, description = "What the caller has already. A heartbeat makes no revision: who wants the last one leaves this out"),
), responses(
    (status = 200, description = "The agent", body = AgentView, headers(("ETag"))),
    (status = 304, description = "The caller has it already", headers(("ETag"))),
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
    if conditions.are_of_who_has(&agent) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::of(&agent))]).into_response());
    }
    Ok(Answer(agent).into_response())
}

/// Reads the agent of a name: the tenant's own, or else one that the platform shares.
///
/// It has no entity tag: a name is another agent's after this one, whose revisions are the same numbers. `revision` is
/// what makes the tag of the agent itself.
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
    // What is no name is no agent's.
    let name = AgentName::parse(&name).map_err(|_| Problem::NO_AGENT)?;
    Ok(Json(app.agents.get_by_name(&name).await?))
}

/// Changes what is said of an agent, by a merge patch (RFC 7396).
///
/// The patch is for the agent as it was at the revision that `If-Match` names. `*` is whatever revision it has now: the
/// caller has no need to know what it says otherwise.
#[utoipa::path(patch, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = String, Header, description = "The ETag of the revision that is changed"),
), request_body(content(
    (Map<String, Value> = "application/merge-patch+json"),
    (Map<String, Value> = "application/json"),
)), responses(
    (status = 200, description = "The agent as it is now", body = AgentView, headers(("ETag"))),
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
    let only = etag::only(&app, id, &headers).await?;
    // The store applies the patch in its transaction: a change at the same time is neither lost nor an error.
    let patched = app.agents.update_with(id, only, move |content: &mut AgentContent| {
        *content = patch::apply(content, patch.clone())?;
        Ok::<_, Problem>(())
    });
    Ok(Answer(patched.await?).into_response())
}

/// Deletes an agent: what is left is a tombstone, and its name is free.
///
/// What is deleted already stays so: a 204 again. With `If-Match` it is that revision alone.
#[utoipa::path(delete, path = "/v1/agents/{id}", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that is deleted"),
), responses(
    (status = 204, description = "It is deleted"),
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
    let only = etag::only(&app, id, &headers).await?;
    app.agents.step(id, Transition::Delete, only).await?;
    Ok(StatusCode::NO_CONTENT)
}
