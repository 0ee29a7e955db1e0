//! The middleware that is measured: the tenant layer and its peers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tenancy::{TENANT_HEADER, TenantId, TenantStatus};
use tenancy_tower::{SnapshotDirectory, TenantLayer, TrustHeader};
use uuid::Uuid;

/// A router with one handler, which returns a constant.
pub fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// A tenant per number. The ids look as random as those of a real service.
pub fn tenant(number: usize) -> TenantId {
    let mixed = (number as u128 + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
    TenantId::from_bytes((mixed ^ mixed >> 64).to_be_bytes()).unwrap_or(TenantId::PLATFORM)
}

/// The active tenants of the numbers below `count`.
pub fn tenants(count: usize) -> impl Iterator<Item = (TenantId, TenantStatus)> {
    (0..count).map(|number| (tenant(number), TenantStatus::Active))
}

/// The tenant layer. Its directory holds `count` tenants in memory.
pub fn layer(count: usize) -> TenantLayer<SnapshotDirectory, TrustHeader> {
    TenantLayer::builder().directory(tenants(count).collect::<SnapshotDirectory>()).trust_header().build()
}

/// A GET request with this tenant header.
///
/// # Panics
///
/// If the value is not a valid header value.
pub fn request(value: &str) -> Request {
    Request::get("/").header(TENANT_HEADER, value).body(Body::empty()).expect("a request")
}

tokio::task_local! {
    /// The current tenant of the hand-written middleware.
    pub static CURRENT: Uuid;
}

/// The tenant in a request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Tenant(pub Uuid);

type Directory = Arc<RwLock<HashMap<Uuid, bool>>>;

/// A router with middleware as it is usually written by hand.
///
/// It parses the header, looks up the tenant under a lock, stores it in the extensions, and runs the handler with the
/// tenant in a task-local.
pub fn hand_written(count: usize) -> Router {
    let directory: Directory =
        Arc::new(RwLock::new(tenants(count).map(|(tenant, _)| (Uuid::from(tenant), true)).collect()));
    router().layer(from_fn_with_state(directory, by_hand))
}

async fn by_hand(State(directory): State<Directory>, mut request: Request, next: Next) -> Response {
    let value = request.headers().get(TENANT_HEADER).and_then(|value| value.to_str().ok());
    let Some(tenant) = value.and_then(|value| Uuid::parse_str(value).ok()) else {
        return (StatusCode::BAD_REQUEST, "invalid tenant").into_response();
    };
    let status = directory.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied();
    match status {
        Some(true) => {}
        Some(false) => return (StatusCode::FORBIDDEN, "tenant suspended").into_response(),
        None => return (StatusCode::NOT_FOUND, "unknown tenant").into_response(),
    }
    request.extensions_mut().insert(Tenant(tenant));
    CURRENT.scope(tenant, next.run(request)).await
}

/// A check for `tower_http` that the header names a known tenant.
///
/// This is about half of a tenant layer's work: the handler has no context.
pub fn validate(
    count: usize,
) -> impl Fn(&mut Request) -> Result<(), Response> + Clone + Send + Sync + 'static {
    let known: Arc<HashSet<Uuid>> = Arc::new(tenants(count).map(|(tenant, _)| tenant.into()).collect());
    #[allow(clippy::result_large_err, reason = "`tower_http` requires this type")]
    move |request: &mut Request| {
        let value = request.headers().get(TENANT_HEADER).and_then(|value| value.to_str().ok());
        let tenant = value.and_then(|value| Uuid::parse_str(value).ok());
        match tenant {
            Some(tenant) if known.contains(&tenant) => Ok(()),
            _ => Err((StatusCode::NOT_FOUND, "unknown tenant").into_response()),
        }
    }
}
