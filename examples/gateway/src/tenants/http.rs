//! `/v1/tenants`, for the platform tenant alone.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantId, TenantRecord, TenantSlug, TenantStatus};
use uuid::Uuid;

use super::TenantsError;
use super::view::TenantView;
use crate::app::App;
use crate::extract::{Body, Page};
use crate::problem::Problem;

/// The routes. What they need is checked around all of them, so that none can forget it.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/tenants", get(list).post(create))
        .route("/v1/tenants/{id}", get(read))
        .route("/v1/tenants/{id}/suspend", post(suspend))
        .route("/v1/tenants/{id}/resume", post(resume))
        .route_layer(from_fn(platform_only))
}

async fn platform_only(request: Request, next: Next) -> Result<Response, Problem> {
    if TenantContext::get()?.is_platform() {
        Ok(next.run(request).await)
    } else {
        Err(Problem::PLATFORM_ONLY)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    slug: String,
    id: Option<String>,
}

#[derive(Serialize)]
struct TenantsPage {
    tenants: Vec<TenantView>,
    next: Option<TenantId>,
}

/// What is no id is no tenant's.
type Id = Result<Path<TenantId>, PathRejection>;

async fn list(State(app): State<App>, page: Page) -> Result<Json<TenantsPage>, Problem> {
    let after = page.after.map(TenantId::try_from).transpose().map_err(|_| Problem::QUERY)?;
    let tenants = app.tenants.list(after, page.limit + 1).await?;
    let (tenants, next) = page.cut(tenants, TenantRecord::id, |_| size_of::<TenantRecord>());
    Ok(Json(TenantsPage { tenants: tenants.into_iter().map(TenantView::from).collect(), next }))
}

async fn create(State(app): State<App>, Body(draft): Body<Draft>) -> Result<Response, Problem> {
    let record = draft.record()?;
    app.tenants.create(record).await?;
    let location = format!("/v1/tenants/{}", record.id());
    let location = HeaderValue::try_from(location).map_err(|_| Problem::INTERNAL)?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(TenantView::from(record))).into_response())
}

async fn read(State(app): State<App>, id: Id) -> Result<Json<TenantView>, Problem> {
    app.tenants.get(known(id)?).await?.map(|record| Json(record.into())).ok_or(Problem::NO_TENANT)
}

async fn suspend(State(app): State<App>, id: Id) -> Result<Json<TenantView>, Problem> {
    let record = app.tenants.set_status(known(id)?, TenantStatus::Suspended).await?;
    app.events.end(record.id());
    Ok(Json(record.into()))
}

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
