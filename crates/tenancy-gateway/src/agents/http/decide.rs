//! The platform's word on a tenant's agents.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use tenancy::{TenantFutureExt, TenantId, TenantStatus};
use tenancy_agents::{AgentId, Approval};

use super::etag;
use super::view::{Decision, DecisionView};
use crate::app::App;
use crate::problem::Problem;

/// Whose agent, and which.
type Ids = Result<Path<(String, String)>, PathRejection>;

/// The platform says yes: `pending_approval → active`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/agents/{id}/approve", tag = "agents", params(
    ("tenant" = Uuid, Path, description = "Whose agent it is"),
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that was looked at: another is not decided on"),
), responses(
    (status = 200, description = "What it is now", body = DecisionView, headers(("ETag"))),
    (status = 403, description = "platform-only, agent-read-only"),
    (status = 404, description = "no-such-tenant, no-such-agent"),
    (status = 409, description = "invalid-transition, name-held, tenant-deleted"),
    (status = 412, description = "revision"),
))]
pub(super) async fn approve(
    State(app): State<App>,
    ids: Ids,
    headers: HeaderMap,
) -> Result<Decision, Problem> {
    let (tenant, id) = known(&app, ids).await?;
    let approval = grant(&app, tenant, id, &headers).await?;
    // From here on as the tenant itself, by the same rules.
    Ok(Decision(app.agents.approve(id, &approval).in_tenant(tenant).await?))
}

/// The platform says no: `pending_approval → rejected`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/agents/{id}/reject", tag = "agents", params(
    ("tenant" = Uuid, Path, description = "Whose agent it is"),
    ("id" = Uuid, Path, description = "The agent's id"),
    ("If-Match" = Option<String>, Header, description = "The ETag of the revision that was looked at: another is not decided on"),
), responses(
    (status = 200, description = "What it is now", body = DecisionView, headers(("ETag"))),
    (status = 403, description = "platform-only, agent-read-only"),
    (status = 404, description = "no-such-tenant, no-such-agent"),
    (status = 409, description = "invalid-transition, tenant-deleted"),
    (status = 412, description = "revision"),
))]
pub(super) async fn reject(
    State(app): State<App>,
    ids: Ids,
    headers: HeaderMap,
) -> Result<Decision, Problem> {
    let (tenant, id) = known(&app, ids).await?;
    let approval = grant(&app, tenant, id, &headers).await?;
    // From here on as the tenant itself, by the same rules.
    Ok(Decision(app.agents.reject(id, &approval).in_tenant(tenant).await?))
}

async fn known(app: &App, ids: Ids) -> Result<(TenantId, AgentId), Problem> {
    let Path((tenant, id)) = ids.map_err(|_| Problem::NO_TENANT)?;
    let tenant = TenantId::parse(&tenant).map_err(|_| Problem::NO_TENANT)?;
    let record = app.tenants.get(tenant).await?.ok_or(Problem::NO_TENANT)?;
    if record.status() == TenantStatus::Deleted {
        return Err(Problem::TENANT_DELETED);
    }
    let id: AgentId = id.parse().map_err(|_| Problem::NO_AGENT)?;
    Ok((tenant, id))
}

/// In the context of who asks: the route is the platform's alone, and this is a lock of its own behind that.
async fn grant(app: &App, tenant: TenantId, id: AgentId, headers: &HeaderMap) -> Result<Approval, Problem> {
    let approval = Approval::grant(tenant, id).map_err(|_| Problem::PLATFORM_ONLY)?;
    let only = etag::only(app, id, headers).in_tenant(tenant).await?;
    Ok(match only {
        Some(revision) => approval.of_revision(revision),
        None => approval,
    })
}
