//! Routes about the service itself and the caller.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tenancy::{TenantContext, TenantId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics;
use crate::middleware::auth;
use crate::principals::Principal;
use crate::problem::{Checks, More, Problem};
use crate::state::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(whoami))
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// Whether the service is ready.
#[derive(Serialize, ToSchema)]
struct Readiness {
    status: &'static str,
    /// The results of the checks, for members of the platform tenant only.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
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

/// Returns whether the process runs. Needs no token, and uses no store.
#[utoipa::path(get, path = "/livez", tag = "service", security(()), responses(
    (status = 200, description = "The process runs", body = Health),
))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Returns whether the service can serve requests: its stores answer, and it is not shutting down.
///
/// Needs no token. With a token of a member of the platform tenant, the response has the results of the checks.
#[utoipa::path(get, path = "/readyz", tag = "service", security((), ("token" = [])), responses(
    (status = 200, description = "The service is ready", body = Readiness),
    (status = 503, description = "not-ready"),
))]
async fn ready(State(app): State<App>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let checks = app.operations.check(&app.tenants, &*app.notes).await;
    let is_operator = operator(&app, &headers).is_ok();
    if !checks.are_passed() {
        let problem = Problem::NOT_READY;
        return Err(if is_operator { problem.with(More::Checks { checks }) } else { problem });
    }
    let readiness = Readiness { status: "ready", checks: is_operator.then_some(checks) };
    Ok(([(CACHE_CONTROL, "no-store")], Json(readiness)))
}

/// Returns numbers of requests in the format of `OpenMetrics`. The busiest tenants have a series of their own.
///
/// Needs a token of a member of the platform tenant, and no tenant.
#[utoipa::path(get, path = "/metrics", tag = "service", security(("token" = [])), responses(
    (status = 200, description = "The numbers", body = String, content_type = "application/openmetrics-text"),
    (status = 401, description = "unauthenticated"),
    (status = 403, description = "platform-only"),
))]
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    match operator(&app, &headers) {
        Ok(()) => {
            let fields = [(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")];
            (fields, app.operations.metrics.to_text()).into_response()
        }
        Err(response) => *response,
    }
}

/// Checks that the caller is a member of the platform tenant.
fn operator(app: &App, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let principal = auth::principal(headers, &app.operations.principals)?;
    if principal.is_member_of(TenantId::PLATFORM) {
        Ok(())
    } else {
        Err(Box::new(Problem::PLATFORM_ONLY.into_response()))
    }
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
