//! A program of its own, because the global allocator belongs to the process.
//!
//! The layer allocates nothing if the directory answers at once.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Request, Response};
use tenancy::{TenantContext, TenantId, TenantStatus, tenant_id};
use tenancy_testkit::allocations::{CountingAllocator, count};
use tenancy_tower::{CachedDirectory, Policy, RequestHead, SnapshotDirectory, TenantLayer, TrustHeader};
use tower::{Layer, Service};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const ACTIVE: TenantId = tenant_id!("a5a5a5a5-a5a5-a5a5-0000-000000000001");
const SUSPENDED: TenantId = tenant_id!("a5a5a5a5-a5a5-a5a5-0000-000000000002");
const UNKNOWN: TenantId = tenant_id!("a5a5a5a5-a5a5-a5a5-0000-000000000003");

fn directory() -> SnapshotDirectory {
    [(ACTIVE, TenantStatus::Active), (SUSPENDED, TenantStatus::Suspended)].into_iter().collect()
}

fn trusting() -> TenantLayer<SnapshotDirectory, TrustHeader> {
    TenantLayer::builder().directory(directory()).trust_header().build()
}

/// The tenant that the caller may act for.
#[derive(Clone, Debug)]
struct Caller(TenantId);

fn authorizing() -> TenantLayer<SnapshotDirectory, impl Policy> {
    let policy = |request: &RequestHead<'_>, tenant: TenantId| {
        request.extensions().get::<Caller>().is_some_and(|caller| caller.0 == tenant)
    };
    TenantLayer::builder().directory(directory()).authorize(policy).build()
}

/// Returns a request with a value of the tenant header.
fn naming(value: &str) -> Request<Body> {
    Request::get("/").header("X-Tenant-ID", value).body(Body::empty()).expect("a request")
}

fn request_of(tenant: TenantId) -> Request<Body> {
    naming(tenant.to_text().as_str())
}

/// Returns the number of allocations of a request, from its call to the drop of its response, and the status.
fn allocations<S, B>(service: S, request: Request<Body>) -> (usize, u16)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let mut status = 0;
    let allocations = count(|| status = status_of(service, request));
    (allocations, status)
}

fn status_of<S, B>(mut service: S, request: Request<Body>) -> u16
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let mut call = pin!(service.call(request));
    let response = loop {
        if let Poll::Ready(response) = call.as_mut().poll(&mut context) {
            break response.expect("infallible");
        }
    };
    let status = response.status().as_u16();
    let mut body = pin!(response.into_body());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
        frame.expect("a frame");
    }
    status
}

/// Lets `arc_swap` and `tracing` allocate what they need once for each thread and each event.
fn warm_up() {
    assert_eq!(count(|| drop(Box::new(7))), 1, "the allocator counts");
    allocations(trusting().layer(bare()), request_of(ACTIVE));
    allocations(trusting().layer(bare()), naming("no"));
}

/// A handler that allocates nothing itself.
fn bare() -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone {
    tower::service_fn(|_: Request<Body>| async {
        assert!(TenantContext::is_set());
        Ok(Response::new(Body::empty()))
    })
}

#[test]
fn accepted_requests_allocate_nothing() {
    warm_up();
    assert_eq!(allocations(trusting().layer(bare()), request_of(ACTIVE)), (bare_count(), 200));
    let mut request = request_of(ACTIVE);
    request.extensions_mut().insert(Caller(ACTIVE));
    assert_eq!(allocations(authorizing().layer(bare()), request), (bare_count(), 200));
}

#[cfg(feature = "token")]
#[test]
fn verifying_a_token_allocates_nothing() {
    use tenancy_token::{Issuer, MAX_TEXT, MAX_TOKEN, TokenKey, Verifier, encode_text};
    use tenancy_tower::{TenantSource, holder_of_token};

    warm_up();
    let key = TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key");
    let issuer = Issuer::new(key.clone(), "agents", Duration::from_mins(1)).expect("an issuer");
    let layer = TenantLayer::builder()
        .directory(directory())
        .source(TenantSource::token(Verifier::<1>::new("agents").key(key).expect("a verifier")))
        .authorize(holder_of_token())
        .build();
    let with = |token: &[u8]| {
        let mut text = [0; MAX_TEXT];
        let value = format!("Bearer {}", encode_text(token, &mut text).expect("a text"));
        Request::get("/").header("authorization", value).body(Body::empty()).expect("a request")
    };
    let mut buffer = [0; MAX_TOKEN];
    let token = issuer.issue(ACTIVE, &mut buffer).expect("a token").to_vec();
    let forged = &token[..token.len() - 1];
    allocations(layer.layer(bare()), with(forged));
    assert_eq!(allocations(layer.layer(bare()), with(&token)), (bare_count(), 200));
    assert_eq!(allocations(layer.layer(bare()), with(forged)), (0, 401));
}

/// Returns the number of allocations of the handler without the layer.
fn bare_count() -> usize {
    let handler =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    allocations(handler, request_of(ACTIVE)).0
}

#[test]
fn layer_around_a_router_adds_no_allocation() {
    warm_up();
    let router = || axum::Router::<()>::new().route("/", get(|| async { "" }));
    // The first request creates what the other requests share.
    allocations(router(), request_of(ACTIVE));
    let (without, _) = allocations(router(), request_of(ACTIVE));
    let (with, status) = allocations(trusting().layer(router()), request_of(ACTIVE));
    assert_eq!((with, status), (without, 200));
}

#[test]
fn rejections_allocate_nothing() {
    warm_up();
    let service = || trusting().layer(bare());
    let mut duplicate = request_of(ACTIVE);
    duplicate.headers_mut().append("x-tenant-id", HeaderValue::from_static("other"));
    let mut missing = request_of(ACTIVE);
    missing.headers_mut().clear();
    missing.headers_mut().insert("host", HeaderValue::from_static("here"));
    let mut grpc = naming("no");
    grpc.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    *grpc.method_mut() = http::Method::POST;
    *grpc.version_mut() = http::Version::HTTP_2;
    for (request, status) in [
        (naming("no"), 400),
        (duplicate, 400),
        (missing, 400),
        (request_of(SUSPENDED), 403),
        (request_of(UNKNOWN), 404),
        (grpc, 200),
    ] {
        assert_eq!(allocations(service(), request), (0, status));
    }
    assert_eq!(allocations(authorizing().layer(bare()), request_of(ACTIVE)), (0, 403));
}

#[test]
fn cached_directory_answers_allocate_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let cached = CachedDirectory::new(|_| async { Ok::<_, Infallible>(Some(TenantStatus::Active)) }, 10)
        .ttl(Duration::from_hours(1));
    let layer = TenantLayer::builder().directory(cached).trust_header().build();
    let _runtime = runtime.enter();
    let (first, _) = allocations(layer.layer(bare()), request_of(ACTIVE));
    assert!(first > 0);
    assert_eq!(allocations(layer.layer(bare()), request_of(ACTIVE)), (bare_count(), 200));
}
