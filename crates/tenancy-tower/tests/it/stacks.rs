//! The layer beside other middleware, on either side of it.

use std::fmt::Debug;
use std::future::{Ready, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get};
use futures_util::{StreamExt, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, SERVER};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tenancy_tower::Rejection;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tower::balance::p2c::Balance;
use tower::buffer::BufferLayer;
use tower::discover::ServiceList;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load::Constant;
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, RetryLayer};
use tower::util::{BoxCloneSyncService, MapRequestLayer, MapResponseLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::add_extension::AddExtensionLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::decompression::{DecompressionLayer, RequestDecompressionLayer};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveHeadersLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use tower_http::set_status::SetStatusLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::support::{get_of, seen, serve, tenant, text, trusting};

/// Returns a service that responds with its current tenant, for any body of a request.
fn echo<B: Send + 'static>()
-> impl Service<Request<B>, Response = Response<Body>, Error = std::convert::Infallible, Future: Send>
+ Clone
+ Send
+ Sync {
    tower::service_fn(|_: Request<B>| async {
        tokio::task::yield_now().await;
        Ok(Response::new(Body::from(seen())))
    })
}

/// Sends one request of a tenant, and returns the tenant that the service saw.
async fn call<S, B>(service: S) -> String
where
    S: Service<Request<Body>, Response = Response<B>, Error: Debug>,
    B: http_body::Body<Error: Debug>,
{
    text(service.oneshot(get_of(tenant(1))).await.expect("a response")).await
}

macro_rules! works_on_both_sides {
    ($($layer:expr),+ $(,)?) => {{
        let expected = tenant(1).to_string();
        $(
            let outside = ServiceBuilder::new().layer($layer).layer(trusting()).service(echo());
            assert_eq!(call(outside).await, expected, "outside: {}", stringify!($layer));
            let inside = ServiceBuilder::new().layer(trusting()).layer($layer).service(echo());
            assert_eq!(call(inside).await, expected, "inside: {}", stringify!($layer));
        )+
    }};
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn layers_of_tower_http_work_on_both_sides() {
    let server = || HeaderValue::from_static("test");
    works_on_both_sides!(
        AddExtensionLayer::new(7_u8),
        CatchPanicLayer::new(),
        CompressionLayer::new(),
        CorsLayer::permissive(),
        DecompressionLayer::new(),
        FollowRedirectLayer::new(),
        NormalizePathLayer::trim_trailing_slash(),
        PropagateHeaderLayer::new(REQUEST_ID),
        PropagateRequestIdLayer::x_request_id(),
        RequestBodyLimitLayer::new(1024),
        RequestBodyTimeoutLayer::new(LONG),
        RequestDecompressionLayer::new(),
        ResponseBodyTimeoutLayer::new(LONG),
        SetRequestHeaderLayer::overriding(SERVER, server()),
        SetRequestIdLayer::x_request_id(MakeRequestUuid),
        SetResponseHeaderLayer::overriding(SERVER, server()),
        SetSensitiveHeadersLayer::new([AUTHORIZATION]),
        SetStatusLayer::new(StatusCode::ACCEPTED),
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONG),
        TraceLayer::new_for_http(),
        TraceLayer::new_for_grpc(),
        ValidateRequestHeaderLayer::accept("text/plain"),
        MapRequestBodyLayer::new(|body: Body| body),
        MapResponseBodyLayer::new(Body::new),
    );
}

/// A policy that never retries.
#[derive(Clone, Debug)]
struct Never;

impl<R, E> Policy<Request<Body>, R, E> for Never {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<Body>, _: &mut Result<R, E>) -> Option<Ready<()>> {
        None
    }

    fn clone_request(&mut self, _: &Request<Body>) -> Option<Request<Body>> {
        None
    }
}

#[tokio::test]
async fn layers_of_tower_work_on_both_sides() {
    works_on_both_sides!(
        BufferLayer::<Request<Body>>::new(4),
        ConcurrencyLimitLayer::new(4),
        GlobalConcurrencyLimitLayer::new(4),
        LoadShedLayer::new(),
        MapRequestLayer::new(|request: Request<Body>| request),
        MapResponseLayer::new(|response| response),
        RetryLayer::new(Never),
        tower::timeout::TimeoutLayer::new(LONG),
        tower::util::BoxCloneSyncServiceLayer::new(tower::layer::util::Identity::new()),
    );
}

/// `RateLimit` and `Balance` cannot be cloned: inside of the layer they need a `Buffer`.
#[tokio::test]
async fn services_that_cannot_be_cloned_work_with_a_buffer() {
    let expected = tenant(1).to_string();
    let limit = || RateLimitLayer::new(100, Duration::from_secs(1));
    let outside = ServiceBuilder::new().layer(limit()).layer(trusting()).service(echo());
    assert_eq!(call(outside).await, expected);
    let inside = ServiceBuilder::new()
        .layer(trusting())
        .layer(BufferLayer::<Request<Body>>::new(4))
        .layer(limit())
        .service(echo());
    assert_eq!(call(inside).await, expected);
    let services =
        || (0..2).map(|_| Constant::new(BoxCloneSyncService::new(trusting().layer(echo())), 1_u32));
    let balanced = Balance::new(ServiceList::new::<Request<Body>>(services()));
    assert_eq!(call(balanced).await, expected);
    let buffered = ServiceBuilder::new().layer(trusting()).layer(BufferLayer::<Request<Body>>::new(4));
    let services = (0..2).map(|_| Constant::new(BoxCloneSyncService::new(echo()), 1_u32));
    let balanced = buffered.service(Balance::new(ServiceList::new::<Request<Body>>(services)));
    assert_eq!(call(balanced).await, expected);
}

/// A layer that replaces a response needs a body without a request.
#[tokio::test(start_paused = true)]
async fn a_timeout_around_the_layer_replaces_the_response() {
    let slow = tower::service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, std::io::Error>>()
    });
    let service = ServiceBuilder::new()
        .layer(CorsLayer::permissive())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(1)))
        .layer(trusting())
        .service(slow);
    let response = service.oneshot(get_of(tenant(1))).await.expect("a response");
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(text(response).await, "");
}

/// One stack with everything that services usually have.
fn stack(router: Router) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(TraceLayer::new_for_http())
            .layer(CatchPanicLayer::new())
            .layer(CorsLayer::permissive())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONG))
            .layer(CompressionLayer::new())
            .layer(trusting())
            .layer(RequestBodyLimitLayer::new(1024))
            .layer(PropagateRequestIdLayer::x_request_id()),
    )
}

#[tokio::test]
async fn events_and_web_sockets_pass_through_a_whole_stack() {
    let events = get(async || {
        let events = stream::iter(0..3).map(|_| Ok::<_, std::io::Error>(Event::default().data(seen())));
        Sse::new(events)
    });
    let upgrade = any(async |upgrade: axum::extract::ws::WebSocketUpgrade| {
        let seen = seen();
        upgrade.on_upgrade(async |mut socket| {
            let sent = socket.send(axum::extract::ws::Message::text(seen)).await;
            assert!(sent.is_ok());
        })
    });
    let router = stack(Router::new().route("/events", events).route("/socket", upgrade));
    let request = Request::get("/events").header("X-Tenant-ID", tenant(2).to_string());
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    assert!(response.headers().contains_key(REQUEST_ID));
    assert_eq!(text(response).await.matches(&tenant(2).to_string()).count(), 3);

    let address = serve(tower::layer::util::Identity::new(), router).await;
    let mut request = format!("ws://{address}/socket").into_client_request().unwrap();
    request.headers_mut().insert("x-tenant-id", tenant(3).to_string().parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(message, tungstenite::Message::text(tenant(3).to_string()));
    socket.close(None).await.unwrap();
}

/// The layer around the router decides first, so only callers with a tenant learn that a path does not exist.
#[tokio::test]
async fn an_unknown_path_is_404_for_authorized_callers_only() {
    let around = Router::new().route("/", get(seen_by)).layer(trusting());
    for (header, path, status) in
        [(None, "/no", 400), (Some(1), "/no", 404), (Some(1), "/", 200), (None, "/", 400)]
    {
        let mut request = Request::get(path);
        if let Some(number) = header {
            request = request.header("X-Tenant-ID", tenant(number).to_string());
        }
        let response = around.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    // `route_layer` runs for known routes only.
    let routes = Router::new().route("/", get(seen_by)).route_layer(trusting());
    for (path, status) in [("/no", 404), ("/", 400)] {
        let response = routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}

async fn seen_by() -> String {
    seen()
}

/// An application can replace the responses of rejected requests.
#[tokio::test]
async fn rejections_can_be_shaped() {
    let exposing = |exposes: bool| {
        let builder =
            tenancy_tower::TenantLayer::builder().directory(crate::support::directory()).trust_header();
        if exposes { builder.expose_rejections() } else { builder }.build()
    };
    let shape = MapResponseLayer::new(|response: Response<_>| {
        let rejection = response.extensions().get::<Rejection>().copied();
        let mut shaped = Response::new(format!("{rejection:?}"));
        *shaped.status_mut() = response.status();
        shaped
    });
    for (exposes, number, expected) in
        [(true, 1, (200, "None")), (true, 1_002, (404, "Some(Unknown)")), (false, 1_002, (404, "None"))]
    {
        let service = ServiceBuilder::new().layer(shape.clone()).layer(exposing(exposes)).service(echo());
        let response = service.oneshot(get_of(tenant(number))).await.unwrap();
        assert_eq!((response.status().as_u16(), response.body().as_str()), expected);
    }
    // Also after a wait for the directory or the policy.
    let slow = tenancy_tower::TenantLayer::builder()
        .directory(crate::support::directory())
        .authorize(|_: &tenancy_tower::RequestHead<'_>, _| {
            tenancy_tower::Access::later(ready(Ok::<_, std::io::Error>(false)))
        })
        .expose_rejections()
        .build();
    let response = slow.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(response.extensions().get::<Rejection>(), Some(&Rejection::Forbidden));
}
