//! The page of a signed-in user.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tenancy::{TenantContext, TenantFutureExt, TenantId, TenantRecord};
use tenancy_agents::{AgentStatus, Filter, Visibility};

use super::html;
use super::model::{Counts, Home, Row, TenantsPage};
use super::query::ListQuery;
use crate::principals::Principal;
use crate::problem::Problem;
use crate::state::App;

/// The number of agents on a page.
const AGENTS: usize = 25;
/// The number of tenants on a page. Each needs a query for each status.
const TENANTS: usize = 10;

/// Responds with the page.
pub(super) async fn home(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = query.map_err(|_| Problem::PAGE_QUERY)?;
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

/// Counts the agents that the current tenant sees.
async fn counts(app: &App) -> Result<Counts, Problem> {
    let mut counts = Counts::default();
    for (status, count) in counts.iter_mut() {
        *count = app.agents.count(&Filter { status: Some(status), ..Filter::default() }).await?;
    }
    Ok(counts)
}

/// Returns a page of tenants with the numbers of their own agents. Only the platform's page shows it.
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
            counts.subtract(AgentStatus::Active, shared);
        }
        tenants.push((record, counts));
    }
    Ok(TenantsPage { tenants, next })
}
