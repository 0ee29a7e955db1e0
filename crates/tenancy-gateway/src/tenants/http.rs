//! `/v1/tenants`, for the platform tenant alone.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantId, TenantRecord, TenantSlug, TenantStatus};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::TenantsError;
use super::view::TenantView;
use crate::app::App;
use crate::extract::{Body, Page};
use crate::problem::Problem;

/// The routes. What they need is checked around all of them, so that none can forget it.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .route_layer(from_fn(platform_only))
}

/// Lets nobody through but the platform tenant.
pub(crate) async fn platform_only(request: Request, next: Next) -> Result<Response, Problem> {
    if TenantContext::get()?.is_platform() {
        Ok(next.run(request).await)
    } else {
        Err(Problem::PLATFORM_ONLY)
    }
}

/// A tenant to create, which is active.
#[derive(Deserialize, ToSchema)]
#[schema(as = TenantDraft)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// 1 to 63 of `a-z`, `0-9` and `-`, with no hyphen first or last.
    #[schema(example = "hooli")]
    slug: String,
    /// A UUID, neither nil nor max. One is made where it is left out.
    #[schema(value_type = Option<Uuid>)]
    id: Option<String>,
}

/// Some tenants, by their ids.
#[derive(Serialize, ToSchema)]
struct TenantsPage {
    tenants: Vec<TenantView>,
    /// Behind which id the next page begins, if there is one.
    #[schema(value_type = Option<Uuid>, required)]
    next: Option<TenantId>,
}

/// What is no id is no tenant's.
type Id = Result<Path<TenantId>, PathRejection>;

/// Lists all tenants.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(Page), responses(
    (status = 200, description = "A page", body = TenantsPage),
    (status = 403, description = "platform-only"),
))]
async fn list(State(app): State<App>, page: Page) -> Result<Json<TenantsPage>, Problem> {
    let after = page.after.map(TenantId::try_from).transpose().map_err(|_| Problem::QUERY)?;
    let tenants = app.tenants.list(after, page.limit + 1).await?;
    let (tenants, next) = page.cut(tenants, TenantRecord::id, |_| size_of::<TenantRecord>());
    Ok(Json(TenantsPage { tenants: tenants.into_iter().map(TenantView::from).collect(), next }))
}

/// Creates a tenant.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = Draft, responses(
    (status = 201, description = "The tenant", body = TenantView, headers(("Location"))),
    (status = 403, description = "platform-only"),
    (status = 409, description = "tenant-taken, tenants-full"),
    (status = 422, description = "tenant-form, wrong-shape"),
))]
async fn create(State(app): State<App>, Body(draft): Body<Draft>) -> Result<Response, Problem> {
    let record = draft.record()?;
    app.tenants.create(record).await?;
    let location = format!("/v1/tenants/{}", record.id());
    let location = HeaderValue::try_from(location).map_err(|_| Problem::INTERNAL)?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(TenantView::from(record))).into_response())
}

/// Reads a tenant, in whatever state.
#[utoipa::path(get, path = "/v1/tenants/{id}", tag = "tenants", params(
    ("id" = Uuid, Path, description = "The tenant's id"),
), responses(
    (status = 200, description = "The tenant", body = TenantView),
    (status = 403, description = "platform-only"),
    (status = 404, description = "no-such-tenant"),
))]
async fn read(State(app): State<App>, id: Id) -> Result<Json<TenantView>, Problem> {
    app.tenants.get(known(id)?).await?.map(|record| Json(record.into())).ok_or(Problem::NO_TENANT)
}

/// Suspends a tenant: nobody acts for it from the next request on.
#[utoipa::path(post, path = "/v1/tenants/{id}/suspend", tag = "tenants", params(
    ("id" = Uuid, Path, description = "The tenant's id"),
), responses(
    (status = 200, description = "The tenant", body = TenantView),
    (status = 403, description = "platform-only"),
    (status = 404, description = "no-such-tenant"),
    (status = 409, description = "platform-stays, tenant-deleted"),
))]
async fn suspend(State(app): State<App>, id: Id) -> Result<Json<TenantView>, Problem> {
    let record = app.tenants.set_status(known(id)?, TenantStatus::Suspended).await?;
    app.events.end(record.id());
    Ok(Json(record.into()))
}

/// Resumes a tenant.
#[utoipa::path(post, path = "/v1/tenants/{id}/resume", tag = "tenants", params(
    ("id" = Uuid, Path, description = "The tenant's id"),
), responses(
    (status = 200, description = "The tenant", body = TenantView),
    (status = 403, description = "platform-only"),
    (status = 404, description = "no-such-tenant"),
    (status = 409, description = "tenant-deleted"),
))]
async fn resume(State(app): State<App>, id: Id) -> Result<Json<TenantView>, Problem> {
    Ok(Json(app.tenants.set_status(known(id)?, TenantStatus::Active).await?.into()))
}

fn known(id: Id) -> Result<TenantId, Problem> {
    id.map(|Path(id)| id).map_err(|_| Problem::NO_TENANT)
}

impl Draft {
    fn record(&self) -> Result<TenantRecord, Problem> {
        let slug = TenantSlug::parse(&self.slug).map_err(|_| Problem::TENANT_FORM)?;
        let id = match &self.id {
            Some(id) => TenantId::parse(id),
            None => TenantId::try_from(Uuid::new_v4()),
        };
        Ok(TenantRecord::new(id.map_err(|_| Problem::TENANT_FORM)?, slug, TenantStatus::Active))
    }
}

impl From<TenantsError> for Problem {
    fn from(error: TenantsError) -> Self {
        match error {
            TenantsError::Unknown => Self::NO_TENANT,
            TenantsError::Taken => Self::TENANT_TAKEN,
            TenantsError::Full => Self::TENANTS_FULL,
            TenantsError::Platform => Self::PLATFORM_STAYS,
            TenantsError::Deleted => Self::TENANT_DELETED,
            TenantsError::NoRoom => Self::NO_ROOM,
            TenantsError::Unavailable => Self::UNAVAILABLE,
            TenantsError::Store(error) => {
                tracing::error!(%error, "tenants");
                Self::INTERNAL
            }
            TenantsError::File(error) => {
                tracing::error!(%error, "the tenants' file");
                Self::INTERNAL
            }
        }
    }
}
