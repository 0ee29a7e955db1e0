//! Changes of an agent's status: one route for each.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use tenancy::{TenantFutureExt, TenantId, TenantStatus};
use tenancy_agents::{AgentId, Approval, Transition};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag;
use super::id::{Id, known};
use super::view::{AgentResponse, AgentView, DecisionResponse, DecisionView};
use crate::problem::Problem;
use crate::state::App;

/// Defines a handler for each transition that a tenant makes, and their routes.
macro_rules! transitions {
    ($($(#[doc = $doc:tt])+ $name:ident $path:tt $transition:ident $conflicts:tt;)+) => {
        $(
            $(#[doc = $doc])+
            #[utoipa::path(post, path = $path, tag = "agents", params(
                ("id" = Uuid, Path, description = "The agent's id"),
                ("If-Match" = Option<String>, Header, description = "The ETag of the revision to change"),
            ), responses(
                (status = 200, description = "The changed agent", body = AgentView, headers(("ETag"))),
                (status = 403, description = "agent-read-only"),
                (status = 404, description = "no-such-agent"),
                (status = 409, description = $conflicts),
                (status = 412, description = "revision"),
            ))]
            async fn $name(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<AgentResponse, Problem> {
                let id = known(id)?;
                let revision = etag::revision(&app, id, &headers).await?;
                Ok(AgentResponse(app.agents.step(id, Transition::$transition, revision).await?))
            }
        )+

        /// Returns the routes of a tenant.
        pub(super) fn of_the_tenant() -> OpenApiRouter<App> {
            OpenApiRouter::default()$(.routes(routes!($name)))+
        }
    };
}

/// Defines a handler for each decision of the platform, and their routes.
macro_rules! decisions {
    ($($(#[doc = $doc:tt])+ $name:ident $path:tt $conflicts:tt;)+) => {
        $(
            $(#[doc = $doc])+
            #[utoipa::path(post, path = $path, tag = "agents", params(
                ("tenant" = Uuid, Path, description = "The agent's tenant"),
                ("id" = Uuid, Path, description = "The agent's id"),
                ("If-Match" = Option<String>, Header, description = "The ETag of the revision that was reviewed"),
            ), responses(
                (status = 200, description = "The result", body = DecisionView, headers(("ETag"))),
                (status = 403, description = "platform-only, agent-read-only"),
                (status = 404, description = "no-such-tenant, no-such-agent"),
                (status = 409, description = $conflicts),
                (status = 412, description = "revision"),
            ))]
            async fn $name(
                State(app): State<App>,
                ids: Ids,
                headers: HeaderMap,
            ) -> Result<DecisionResponse, Problem> {
                let (tenant, id, approval) = approval(&app, ids, &headers).await?;
                // The change itself follows the same rules as the tenant's own changes.
                Ok(DecisionResponse(app.agents.$name(id, &approval).in_tenant(tenant).await?))
            }
        )+

        /// Returns the routes of the platform. They do not check the caller.
        pub(super) fn of_the_platform() -> OpenApiRouter<App> {
            OpenApiRouter::default()$(.routes(routes!($name)))+
        }
    };
}

transitions! {
    /// Submits an agent for approval by the platform: `draft → pending_approval`.
    submit "/v1/agents/{id}/submit" Submit "invalid-transition";
    /// Suspends an agent: `active → suspended`.
    suspend "/v1/agents/{id}/suspend" Suspend "invalid-transition";
    /// Resumes a suspended agent: `suspended → active`.
    resume "/v1/agents/{id}/resume" Resume "invalid-transition, name-held";
    /// Deprecates an agent, which should not be chosen for new work: `active → deprecated`.
    deprecate "/v1/agents/{id}/deprecate" Deprecate "invalid-transition";
}

decisions! {
    /// Approves a tenant's agent: `pending_approval → active`.
    approve "/v1/tenants/{tenant}/agents/{id}/approve" "invalid-transition, name-held, tenant-deleted";
    /// Rejects a tenant's agent: `pending_approval → rejected`.
    reject "/v1/tenants/{tenant}/agents/{id}/reject" "invalid-transition, tenant-deleted";
}

/// The ids of the tenant and of the agent, which may be malformed.
type Ids = Result<Path<(String, String)>, PathRejection>;

/// Grants the approval in the context of the caller: a second check that it is the platform.
async fn approval(
    app: &App,
    ids: Ids,
    headers: &HeaderMap,
) -> Result<(TenantId, AgentId, Approval), Problem> {
    let Path((tenant, id)) = ids.map_err(|_| Problem::NO_TENANT)?;
    let tenant = TenantId::parse(&tenant).map_err(|_| Problem::NO_TENANT)?;
    let record = app.tenants.get(tenant).await?.ok_or(Problem::NO_TENANT)?;
    if record.status() == TenantStatus::Deleted {
        return Err(Problem::TENANT_DELETED);
    }
    let id: AgentId = id.parse().map_err(|_| Problem::NO_AGENT)?;
    let approval = Approval::grant(tenant, id).map_err(|_| Problem::PLATFORM_ONLY)?;
    let revision = etag::revision(app, id, headers).in_tenant(tenant).await?;
    let approval = match revision {
        Some(revision) => approval.of_revision(revision),
        None => approval,
    };
    Ok((tenant, id, approval))
}
