//! Tenants, layers, services and requests that several modules use.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::ServiceExt;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use tenancy::{TenantContext, TenantId, TenantStatus};
use tenancy_tower::{Policy, RequestHead, SnapshotDirectory, TenantLayer, TrustHeader};
use tokio::net::TcpListener;
use tower::{Layer, Service};

pub(crate) const ACTIVE: u64 = 100;
pub(crate) const SUSPENDED: u64 = 1_000;
pub(crate) const DELETED: u64 = 1_001;
pub(crate) const UNKNOWN: u64 = 1_002;

/// Returns the tenant of a number. Different numbers give different tenants.
pub(crate) fn tenant(number: u64) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

/// Returns a directory in which tenants 0 to 99 are active.
pub(crate) fn directory() -> SnapshotDirectory {
    (0..ACTIVE)
        .map(|number| (tenant(number), TenantStatus::Active))
        .chain([(tenant(SUSPENDED), TenantStatus::Suspended), (tenant(DELETED), TenantStatus::Deleted)])
        .collect()
}

pub(crate) fn trusting() -> TenantLayer<SnapshotDirectory, TrustHeader> {
    TenantLayer::builder().directory(directory()).trust_header().exempt("/healthz").build()
}

/// The tenants that the caller may act for, as authentication stores them in the extensions.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Vec<TenantId>);

pub(crate) fn authorizing() -> TenantLayer<SnapshotDirectory, impl Policy> {
    let policy = |request: &RequestHead<'_>, tenant: TenantId| {
        request.extensions().get::<Caller>().is_some_and(|caller| caller.0.contains(&tenant))
    };
    TenantLayer::builder().directory(directory()).authorize(policy).build()
}

/// Returns the current tenant as text, or `none`.
pub(crate) fn seen() -> String {
    TenantContext::get_optional().map_or_else(|| "none".to_owned(), |tenant| tenant.to_string())
}

/// Returns a service that responds with its current tenant.
pub(crate) fn echo()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|_: Request<Body>| async {
        let before = seen();
        tokio::task::yield_now().await;
        assert_eq!(before, seen());
        Ok(Response::new(Body::from(before)))
    })
}

/// Returns a GET request with a value of the tenant header.
pub(crate) fn get(value: &str) -> Request<Body> {
    Request::get("/").header("X-Tenant-ID", value).body(Body::empty()).expect("a request")
}

pub(crate) fn get_of(tenant: TenantId) -> Request<Body> {
    get(tenant.to_text().as_str())
}

pub(crate) async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("a text")
}

/// Starts a server on a free port, which ends with the test's runtime, and returns its address.
pub(crate) async fn serve<L, S>(layer: L, inner: S) -> SocketAddr
where
    L: Layer<S>,
    L::Service: Service<Request<Body>, Response: axum::response::IntoResponse, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let service = layer.layer(inner);
    let service = tower::service_fn(move |request: Request<Body>| {
        let mut service = service.clone();
        async move { service.call(request).await.map(axum::response::IntoResponse::into_response) }
    });
    tokio::spawn(async move {
        axum::serve(listener, ServiceExt::<Request<Body>>::into_make_service(service)).await
    });
    address
}
