//! Routes about the service itself and the caller.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use tenancy::{TenantContext, TenantId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::principals::Principal;
use crate::problem::Problem;
use crate::state::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(health)).routes(routes!(whoami))
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// The caller, and the tenant that it acts for.
#[derive(Serialize, ToSchema)]
struct Caller {
    principal: String,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    #[schema(required)]
    slug: Option<String>,
}

/// Returns whether the process runs. Needs no token, and uses no store.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()), responses(
    (status = 200, description = "The process runs", body = Health),
))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Returns the caller and its tenant.
#[utoipa::path(get, path = "/v1/whoami", tag = "service", responses(
    (status = 200, description = "The caller", body = Caller),
))]
async fn whoami(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<Caller>, Problem> {
    let tenant = TenantContext::get()?;
    let slug = app.tenants.get(tenant).await?.map(|record| record.slug().to_string());
    Ok(Json(Caller { principal: principal.name().to_string(), tenant, slug }))
}
