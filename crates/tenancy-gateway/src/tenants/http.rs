//! `/v1/tenants`, for the platform tenant only.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::TenantsError;
use super::view::TenantView;
use crate::extract::{Body, Page};
use crate::middleware::platform::platform_only;
use crate::problem::Problem;
use crate::state::App;

/// Returns the routes. One layer checks the caller of all of them, so that no handler can omit the check.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .route_layer(from_fn(platform_only))
}

/// A tenant to create. It is active.
#[derive(Deserialize, ToSchema)]
#[schema(as = TenantDraft)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// 1 to 63 characters of `a-z`, `0-9` and `-`, not starting or ending with `-`.
    #[schema(example = "hooli")]
    slug: String,
    /// A UUID that is neither nil nor max. If it is missing, one is created.
    #[schema(value_type = Option<Uuid>)]
    id: Option<String>,
}

/// A page of tenants, sorted by id.
#[derive(Serialize, ToSchema)]
struct TenantsPage {
    tenants: Vec<TenantView>,
    /// The value of `after` for the next page, or null.
    #[schema(value_type = Option<Uuid>, required)]
    next: Option<TenantId>,
}

/// The id in a path, which may be malformed. A malformed id is the id of no tenant.
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

/// Reads a tenant with any status.
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

/// Suspends a tenant: its requests are rejected from now on.
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
                tracing::error!(%error, "tenant store failed");
                Self::INTERNAL
            }
            TenantsError::File(error) => {
                tracing::error!(%error, "tenants file failed");
                Self::INTERNAL
            }
        }
    }
}
