//! What the service says of itself, and of who asks.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use tenancy::{TenantContext, TenantId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::principals::Principal;
use crate::problem::Problem;

/// Whether the process is there.
pub const HEALTH: &str = "/healthz";

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(health)).routes(routes!(whoami))
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// Who asks, and for whom.
#[derive(Serialize, ToSchema)]
struct Caller {
    principal: String,
    #[schema(value_type = Uuid)]
    tenant: TenantId,
    #[schema(required)]
    slug: Option<String>,
}

/// Whether the process is there: it needs no token, and asks nobody.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()), responses(
    (status = 200, description = "It is", body = Health),
))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Who the caller is, and for which tenant.
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
