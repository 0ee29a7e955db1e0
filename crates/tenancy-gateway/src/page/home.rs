//! What the page shows, as the current tenant sees it.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tenancy::{TenantContext, TenantFutureExt, TenantId, TenantRecord};
use tenancy_agents::{Agent, AgentId, AgentStatus, Filter, UnixMillis, Visibility};

use super::html;
use super::query::Wanted;
use crate::app::App;
use crate::principals::Principal;
use crate::problem::Problem;

/// On a page.
const AGENTS: usize = 25;
/// On a page: each costs as many questions as there are states.
const TENANTS: usize = 10;

/// All that the page shows.
pub(super) struct Home {
    pub(super) principal: String,
    pub(super) tenant: TenantId,
    pub(super) slug: Option<String>,
    pub(super) wanted: Wanted,
    pub(super) counts: Counts,
    pub(super) agents: Vec<Row>,
    pub(super) next: Option<AgentId>,
    /// For the platform alone.
    pub(super) tenants: Option<TenantsPage>,
}

/// An agent, as far as the page shows it: its card may be large.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) status: AgentStatus,
    pub(super) tier: &'static str,
    pub(super) capabilities: Vec<String>,
    pub(super) endpoint: String,
    pub(super) last_seen_at: Option<UnixMillis>,
    /// Who sees it, and whose it is.
    pub(super) sharing: Sharing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// The tenant's own.
    Own,
    /// The tenant's own, and all others see it.
    OwnShared,
    /// The platform's, which shares it.
    Platform,
}

pub(super) struct TenantsPage {
    /// Without numbers where what a tenant's agents are kept in fails: that is not to hide the others.
    pub(super) tenants: Vec<(TenantRecord, Option<Counts>)>,
    pub(super) next: Option<TenantId>,
}

/// How many agents are in each state.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts([u64; AgentStatus::ALL.len()]);

impl Counts {
    pub(super) fn each(&self) -> impl Iterator<Item = (AgentStatus, u64)> + use<> {
        AgentStatus::ALL.into_iter().zip(self.0)
    }

    /// Of those that are not deleted.
    pub(super) fn present(&self) -> u64 {
        self.each().filter(|(status, _)| *status != AgentStatus::Deleted).map(|(_, count)| count).sum()
    }
}

/// The page. It changes nothing.
pub(super) async fn home(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|_| Problem::PAGE_QUERY)?;
    let tenant = TenantContext::get()?;
    let slug = app.tenants.get(tenant).await?.map(|record| record.slug().to_string());
    let filter = Filter { status: wanted.status, ..Filter::default() };
    let query = tenancy_agents::Query { filter, after: wanted.after, limit: AGENTS };
    let mut agents = Vec::new();
    let next = app.agents.list(&query, |agent| agents.push(Row::of(&agent, tenant))).await?;
    let counts = counts(&app).await?;
    let tenants = if tenant.is_platform() { Some(tenants(&app, wanted.tenants_after).await?) } else { None };
    let principal = principal.name().to_owned();
    let home = Home { principal, tenant, slug, wanted, counts, agents, next, tenants };
    Ok((StatusCode::OK, html::home(&home)).into_response())
}

/// How many agents the current tenant sees.
async fn counts(app: &App) -> Result<Counts, Problem> {
    let mut counts = Counts::default();
    for (count, status) in counts.0.iter_mut().zip(AgentStatus::ALL) {
        *count = app.agents.count(&Filter { status: Some(status), ..Filter::default() }).await?;
    }
    Ok(counts)
}

/// Some tenants, with the agents that they have themselves. Only the platform's page comes here.
async fn tenants(app: &App, after: Option<TenantId>) -> Result<TenantsPage, Problem> {
    let in_use = Filter { status: Some(AgentStatus::Active), ..Filter::default() };
    let shared = Filter { visibility: Some(Visibility::Shared), ..in_use };
    let shared = app.agents.count(&shared).await?;
    let mut records = app.tenants.list(after, TENANTS + 1).await?;
    let has_more = records.len() > TENANTS;
    records.truncate(TENANTS);
    let next = records.last().map(TenantRecord::id).filter(|_| has_more);
    let mut tenants = Vec::with_capacity(records.len());
    for record in records {
        let mut counts = counts(app).in_tenant(record.id()).await.ok();
        if let Some(counts) = counts.as_mut().filter(|_| !record.id().is_platform()) {
            counts.0[AgentStatus::Active as usize] =
                counts.0[AgentStatus::Active as usize].saturating_sub(shared);
        }
        tenants.push((record, counts));
    }
    Ok(TenantsPage { tenants, next })
}

impl Row {
    fn of(agent: &Agent, tenant: TenantId) -> Self {
        let content = &agent.content;
        let sharing = match (agent.tenant == tenant, agent.is_shared()) {
            (false, _) => Sharing::Platform,
            (true, true) => Sharing::OwnShared,
            (true, false) => Sharing::Own,
        };
        Self {
            name: agent.name.as_str().to_owned(),
            display_name: content.display_name.as_str().to_owned(),
            description: content.description.as_str().to_owned(),
            version: content.version.as_str().to_owned(),
            status: agent.status,
            tier: content.tier.as_str(),
            capabilities: content.capabilities.iter().map(|tag| tag.as_str().to_owned()).collect(),
            endpoint: content.endpoint.as_str().to_owned(),
            last_seen_at: agent.last_seen_at,
            sharing,
        }
    }
}
