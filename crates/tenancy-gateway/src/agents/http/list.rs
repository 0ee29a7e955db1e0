//! Lists and numbers of agents.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tenancy_agents::{Agent, AgentId, AgentStatus, Capability, Filter, Tier, Visibility};
use utoipa::{IntoParams, ToSchema};

use super::view::{AgentView, StatusView, TierView, VisibilityView};
use crate::extract::{Page, json_length};
use crate::problem::Problem;
use crate::state::App;

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only agents with this status. Deleted agents are listed only if this is `deleted`.
    #[param(value_type = Option<StatusView>, inline)]
    status: Option<AgentStatus>,
    /// Only agents with this capability tag.
    #[param(value_type = Option<String>)]
    capability: Option<Capability>,
    /// Only agents of this tier.
    #[param(value_type = Option<TierView>, inline)]
    tier: Option<Tier>,
    /// Only agents with this visibility.
    #[param(value_type = Option<VisibilityView>, inline)]
    visibility: Option<Visibility>,
    /// Maximum number of agents.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: usize,
    /// Only agents with a greater id: `next` of the previous page.
    #[param(value_type = Option<Uuid>)]
    after: Option<AgentId>,
}

/// The query of a number.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CountQuery {
    /// Only agents with this status. Deleted agents are counted only if this is `deleted`.
    #[param(value_type = Option<StatusView>, inline)]
    status: Option<AgentStatus>,
    /// Only agents with this capability tag.
    #[param(value_type = Option<String>)]
    capability: Option<Capability>,
    /// Only agents of this tier.
    #[param(value_type = Option<TierView>, inline)]
    tier: Option<Tier>,
    /// Only agents with this visibility.
    #[param(value_type = Option<VisibilityView>, inline)]
    visibility: Option<Visibility>,
}

/// The query of a search.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FindQuery {
    /// Only agents with this capability tag.
    #[param(value_type = String)]
    capability: Capability,
    /// Maximum number of agents.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: usize,
    /// Only agents with a greater id: `next` of the previous page.
    #[param(value_type = Option<Uuid>)]
    after: Option<AgentId>,
}

/// A page of agents, sorted by id.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentsPage {
    #[schema(value_type = Vec<AgentView>)]
    agents: Vec<Agent>,
    /// The value of `after` for the next page, or null.
    #[schema(value_type = Option<Uuid>, required)]
    next: Option<AgentId>,
}

/// A number of agents.
#[derive(Serialize, ToSchema)]
pub(super) struct Count {
    count: u64,
}

/// A query, which may be malformed.
type QueryResult<T> = Result<Query<T>, QueryRejection>;

/// Lists the agents that the tenant sees: its own, and shared ones of the platform.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", params(ListQuery), responses(
    (status = 200, description = "A page", body = AgentsPage),
))]
pub(super) async fn list(
    State(app): State<App>,
    query: QueryResult<ListQuery>,
) -> Result<Json<AgentsPage>, Problem> {
    let Query(ListQuery { status, capability, tier, visibility, limit, after }) = valid(query)?;
    let filter = Filter { status, capability, tier, visibility };
    page(&app, filter, limit, after).await
}

/// Counts the agents that the tenant sees.
#[utoipa::path(get, path = "/v1/agents/count", tag = "agents", params(CountQuery), responses(
    (status = 200, description = "The number", body = Count),
))]
pub(super) async fn count(
    State(app): State<App>,
    query: QueryResult<CountQuery>,
) -> Result<Json<Count>, Problem> {
    let Query(CountQuery { status, capability, tier, visibility }) = valid(query)?;
    let count = app.agents.count(&Filter { status, capability, tier, visibility }).await?;
    Ok(Json(Count { count }))
}

/// Finds active agents with a capability.
#[utoipa::path(get, path = "/v1/agents/find", tag = "agents", params(FindQuery), responses(
    (status = 200, description = "A page", body = AgentsPage),
))]
pub(super) async fn find(
    State(app): State<App>,
    query: QueryResult<FindQuery>,
) -> Result<Json<AgentsPage>, Problem> {
    let Query(FindQuery { capability, limit, after }) = valid(query)?;
    page(&app, Filter::active_with(capability), limit, after).await
}

fn valid<T>(query: QueryResult<T>) -> Result<Query<T>, Problem> {
    query.map_err(|_| Problem::AGENTS_QUERY)
}

/// The number of agents per query. A page that ends early discards the rest of one query.
const AT_ONCE: usize = 50;

/// Reads a page. It ends before it has too many bytes, but has at least one agent.
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

/// Estimates the length of an agent's JSON.
fn size(agent: &Agent) -> usize {
    let content = &agent.content;
    let card = content.card.as_ref().map_or(0, |card| card.as_str().len());
    let texts = [content.display_name.as_str(), content.description.as_str(), content.owner.as_str()];
    512 + texts.into_iter().map(json_length).sum::<usize>() + card
}
