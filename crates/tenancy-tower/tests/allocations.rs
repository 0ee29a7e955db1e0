//! What the layer allocates: nothing, outside of a router, where the directory answers at once.
//!
//! A file of its own, because the allocator is the whole process's.

mod common;
#[path = "../../../tests/common/counting.rs"]
mod counting;

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use common::{Caller, SUSPENDED, UNKNOWN, authorizing, get_of, tenant, trusting};
use http::{HeaderValue, Request, Response};
use tenancy::TenantContext;
use tenancy_tower::{Cached, TenantLayer};
use tower::{Layer, Service};

/// The allocations of a request, from its call to the drop of its answer; and the answer's status.
fn allocations<S, B>(service: S, request: Request<Body>) -> (usize, u16)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let mut status = 0;
    let count = counting::allocations(|| status = status_of(service, request));
    (count, status)
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

/// What is made once: by `arc_swap` for a thread, by `tracing` for a place that logs.
fn warm_up() {
    allocations(trusting().layer(bare()), get_of(tenant(1)));
    allocations(trusting().layer(bare()), common::get("no"));
}

/// A handler that allocates nothing itself.
fn bare() -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone {
    tower::service_fn(|_: Request<Body>| async {
        assert!(TenantContext::is_set());
        Ok(Response::new(Body::empty()))
    })
}

#[test]
fn a_request_that_is_served() {
    warm_up();
    assert_eq!(allocations(trusting().layer(bare()), get_of(tenant(1))), (bare_count(), 200));
    let mut request = get_of(tenant(1));
    request.extensions_mut().insert(Caller(vec![tenant(1)]));
    assert_eq!(allocations(authorizing().layer(bare()), request), (bare_count(), 200));
}

/// What the handler costs without the layer.
fn bare_count() -> usize {
    let handler =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    allocations(handler, get_of(tenant(1))).0
}

#[test]
fn around_a_router_it_adds_nothing() {
    warm_up();
    let router = || axum::Router::<()>::new().route("/", get(|| async { "" }));
    // The first request makes what the others share.
    allocations(router(), get_of(tenant(1)));
    let (without, _) = allocations(router(), get_of(tenant(1)));
    let (with, status) = allocations(trusting().layer(router()), get_of(tenant(1)));
    assert_eq!((with, status), (without, 200));
}

#[test]
fn a_refusal_allocates_nothing() {
    warm_up();
    let service = || trusting().layer(bare());
    let mut duplicate = get_of(tenant(1));
    duplicate.headers_mut().append("x-tenant-id", HeaderValue::from_static("other"));
    let mut missing = get_of(tenant(1));
    missing.headers_mut().clear();
    missing.headers_mut().insert("host", HeaderValue::from_static("here"));
    let mut grpc = common::get("no");
    grpc.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    *grpc.method_mut() = http::Method::POST;
    *grpc.version_mut() = http::Version::HTTP_2;
    for (request, status) in [
        (common::get("no"), 400),
        (duplicate, 400),
        (missing, 400),
        (get_of(tenant(SUSPENDED)), 403),
        (get_of(tenant(UNKNOWN)), 404),
        (grpc, 200),
    ] {
        assert_eq!(allocations(service(), request), (0, status));
    }
    assert_eq!(allocations(authorizing().layer(bare()), get_of(tenant(1))), (0, 403));
}

#[test]
fn a_cached_answer_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let cached = Cached::new(|_| async { Ok::<_, Infallible>(Some(tenancy::TenantStatus::Active)) }, 10)
        .ttl(Duration::from_hours(1));
    let layer = TenantLayer::builder().directory(cached).trust_header().build();
    let _runtime = runtime.enter();
    let (first, _) = allocations(layer.layer(bare()), get_of(tenant(1)));
    assert!(first > 0);
    assert_eq!(allocations(layer.layer(bare()), get_of(tenant(1))), (bare_count(), 200));
}
