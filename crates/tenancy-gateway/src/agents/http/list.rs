//! Many agents.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tenancy_agents::{Agent, AgentId, AgentStatus, Capability, Filter, Tier, Visibility};
use utoipa::{IntoParams, ToSchema};

use super::view::{AgentView, StatusView, TierView, VisibilityView};
use crate::app::App;
use crate::extract::{Page, json_length};
use crate::problem::Problem;

/// Which agents are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// In this state. Those that are deleted are listed by it alone.
    #[param(value_type = Option<StatusView>, inline)]
    status: Option<AgentStatus>,
    /// With this tag.
    #[param(value_type = Option<String>)]
    capability: Option<Capability>,
    /// Of this tier.
    #[param(value_type = Option<TierView>, inline)]
    tier: Option<Tier>,
    /// Private, or shared.
    #[param(value_type = Option<VisibilityView>, inline)]
    visibility: Option<Visibility>,
    /// How many at most.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: usize,
    /// Those with a greater id than this: `next` of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<AgentId>,
}

/// Which agents are counted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CountQuery {
    /// In this state. Those that are deleted are counted by it alone.
    #[param(value_type = Option<StatusView>, inline)]
    status: Option<AgentStatus>,
    /// With this tag.
    #[param(value_type = Option<String>)]
    capability: Option<Capability>,
    /// Of this tier.
    #[param(value_type = Option<TierView>, inline)]
    tier: Option<Tier>,
    /// Private, or shared.
    #[param(value_type = Option<VisibilityView>, inline)]
    visibility: Option<Visibility>,
}

/// Which agents are found.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FindQuery {
    /// With this tag.
    #[param(value_type = String)]
    capability: Capability,
    /// How many at most.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: usize,
    /// Those with a greater id than this: `next` of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<AgentId>,
}

/// Some agents, by their ids.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentsPage {
    #[schema(value_type = Vec<AgentView>)]
    agents: Vec<Agent>,
    /// Behind which id the next page begins, if there is one.
    #[schema(value_type = Option<Uuid>, required)]
    next: Option<AgentId>,
}

/// How many there are.
#[derive(Serialize, ToSchema)]
pub(super) struct Count {
    count: u64,
}

/// A query, or why it is none.
type Asked<T> = Result<Query<T>, QueryRejection>;

/// Lists the agents that the tenant sees: its own, and those that the platform shares.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", params(ListQuery), responses(
    (status = 200, description = "A page", body = AgentsPage),
))]
pub(super) async fn list(
    State(app): State<App>,
    query: Asked<ListQuery>,
) -> Result<Json<AgentsPage>, Problem> {
    let Query(ListQuery { status, capability, tier, visibility, limit, after }) = sane(query)?;
    let filter = Filter { status, capability, tier, visibility };
    page(&app, filter, limit, after).await
}

/// Counts the agents that the tenant sees.
#[utoipa::path(get, path = "/v1/agents/count", tag = "agents", params(CountQuery), responses(
    (status = 200, description = "How many", body = Count),
))]
pub(super) async fn count(State(app): State<App>, query: Asked<CountQuery>) -> Result<Json<Count>, Problem> {
    let Query(CountQuery { status, capability, tier, visibility }) = sane(query)?;
    let count = app.agents.count(&Filter { status, capability, tier, visibility }).await?;
    Ok(Json(Count { count }))
}

/// Finds the agents that are in use and can do something.
#[utoipa::path(get, path = "/v1/agents/find", tag = "agents", params(FindQuery), responses(
    (status = 200, description = "A page", body = AgentsPage),
))]
pub(super) async fn find(
    State(app): State<App>,
    query: Asked<FindQuery>,
) -> Result<Json<AgentsPage>, Problem> {
    let Query(FindQuery { capability, limit, after }) = sane(query)?;
    page(&app, Filter::active_with(capability), limit, after).await
}

fn sane<T>(query: Asked<T>) -> Result<Query<T>, Problem> {
    query.map_err(|_| Problem::AGENTS_QUERY)
}

/// How many are read at once: what is read of a page that ends before is in vain.
const AT_ONCE: usize = 50;

/// A page ends before its bytes are too many, but not before its first agent. What does not fit is not kept.
async fn page(
    app: &App,
    filter: Filter,
    limit: usize,
    after: Option<AgentId>,
) -> Result<Json<AgentsPage>, Problem> {
    if !(1..=Page::MOST).contains(&limit) {
        return Err(Problem::AGENTS_QUERY);
    }
    let (mut agents, mut bytes, mut is_full) = (Vec::new(), 0, false);
    let mut query = tenancy_agents::Query { filter, after, limit };
    loop {
        query.limit = AT_ONCE.min(limit - agents.len());
        let each = |agent: Agent| {
            bytes += size(&agent);
            is_full |= bytes > Page::MOST_BYTES && !agents.is_empty();
            if !is_full {
                agents.push(agent);
            }
        };
        let next = app.agents.list(&query, each).await?;
        let next = if is_full { agents.last().map(|agent| agent.id) } else { next };
        if is_full || next.is_none() || agents.len() >= limit {
            return Ok(Json(AgentsPage { agents, next }));
        }
        query.after = next;
    }
}

/// About what it has as JSON.
fn size(agent: &Agent) -> usize {
    let content = &agent.content;
    let card = content.card.as_ref().map_or(0, |card| card.as_str().len());
    let texts = [content.display_name.as_str(), content.description.as_str(), content.owner.as_str()];
    512 + texts.into_iter().map(json_length).sum::<usize>() + card
}
