//! Registration of agents.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tenancy_agents::{AgentContent, AgentName};

use super::form::{CardDraft, Draft};
use super::view::{AgentResponse, AgentView};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::App;

/// Registers an agent as a draft.
///
/// If the tenant has an agent with the same name and content, responds with that agent and status 200.
#[utoipa::path(post, path = "/v1/agents", tag = "agents", request_body = Draft, responses(
    (status = 201, description = "The new agent", body = AgentView, headers(("Location"), ("ETag"))),
    (status = 200, description = "The agent existed with the same content", body = AgentView, headers(("ETag"))),
    (status = 409, description = "name-taken, name-shared, name-held, agents-full"),
    (status = 422, description = "agent-form, wrong-shape"),
))]
pub(super) async fn register(State(app): State<App>, Body(draft): Body<Draft>) -> Result<Response, Problem> {
    let (name, content) = draft.read()?;
    registered(&app, name, content).await
}

/// Registers an agent by its A2A agent card, as a draft.
///
/// The display name, description, version, endpoint and capabilities come from the card. The whole card is stored.
#[utoipa::path(post, path = "/v1/agents/from-card", tag = "agents", request_body = CardDraft, responses(
    (status = 201, description = "The new agent", body = AgentView, headers(("Location"), ("ETag"))),
    (status = 200, description = "The agent existed with the same content", body = AgentView, headers(("ETag"))),
    (status = 409, description = "name-taken, name-shared, name-held, agents-full"),
    (status = 422, description = "agent-form, wrong-shape"),
))]
pub(super) async fn from_card(
    State(app): State<App>,
    Body(draft): Body<CardDraft>,
) -> Result<Response, Problem> {
    let (name, content) = draft.read()?;
    registered(&app, name, content).await
}

async fn registered(app: &App, name: AgentName, content: AgentContent) -> Result<Response, Problem> {
    let registered = app.agents.register(name, content).await?;
    if !registered.is_new {
        return Ok(AgentResponse(registered.agent).into_response());
    }
    let location = format!("/v1/agents/{}", registered.agent.id);
    let location = HeaderValue::try_from(location).map_err(|_| Problem::INTERNAL)?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], AgentResponse(registered.agent)).into_response())
}
