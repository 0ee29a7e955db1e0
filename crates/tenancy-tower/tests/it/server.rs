//! A real server under load: every response belongs to its own tenant.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tenancy::{TenantContext, TenantFutureExt, TenantStatus};
use tenancy_tower::{CachedDirectory, TenantLayer};
use tokio::net::TcpStream;

use crate::support::{directory, echo, get, seen, serve, tenant, text, trusting};

const CONNECTIONS: u64 = 64;
const TENANTS: u64 = 50;
const REQUESTS: u64 = 100_000;

/// What a request asks for by its path.
#[derive(Clone, Copy)]
enum Kind {
    /// A response after other tasks have run.
    Plain,
    /// A tenant left behind in the handler and in a task, as careless code would do.
    Careless,
    Panic,
    /// A response that takes longer than the client waits.
    Slow,
    /// A body of several frames.
    Stream,
    /// A request without a valid tenant.
    Rejected,
}

impl Kind {
    fn of(number: u64) -> Self {
        match number % 100 {
            0 => Self::Panic,
            1 => Self::Slow,
            2..=5 => Self::Careless,
            6..=9 => Self::Stream,
            10..=12 => Self::Rejected,
            _ => Self::Plain,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Plain => "/plain",
            Self::Careless => "/careless",
            Self::Panic => "/panic",
            Self::Slow => "/slow",
            Self::Stream => "/stream",
            Self::Rejected => "/rejected",
        }
    }
}

async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let before = seen();
    match request.uri().path() {
        "/panic" => {
            TenantContext::set(tenant(TENANTS + 1));
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        "/slow" => {
            TenantContext::set(tenant(TENANTS + 2));
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        "/careless" => {
            tokio::spawn(async { TenantContext::set(tenant(TENANTS + 3)) });
            let seen_by_a_task = tokio::spawn(async { seen() }).await.expect("no panic");
            assert_eq!(seen_by_a_task, "none");
            std::mem::forget(TenantContext::enter(tenant(TENANTS + 4)));
        }
        "/stream" => {
            let frames = futures_util::stream::unfold(0, |number| async move {
                tokio::task::yield_now().await;
                (number < 3).then(|| (Ok::<_, Infallible>(seen()), number + 1))
            });
            return Ok(Response::new(Body::from_stream(frames)));
        }
        _ => {
            tokio::task::yield_now().await;
            assert_eq!(before, seen());
        }
    }
    Ok(Response::new(Body::from(before)))
}

type Sender = http1::SendRequest<Full<bytes::Bytes>>;

async fn connect(address: std::net::SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
    tokio::spawn(connection);
    sender
}

fn request(kind: Kind, number: u64) -> Request<Full<bytes::Bytes>> {
    let id = tenant(number % TENANTS);
    let value = if matches!(kind, Kind::Rejected) { "nobody".to_owned() } else { id.to_string() };
    let request = get(&value).map(|_| Full::default());
    let (mut parts, body) = request.into_parts();
    parts.uri = kind.path().parse().expect("a path");
    Request::from_parts(parts, body)
}

/// Sends one request and checks its response; returns `false` if the connection must not be used again.
async fn check(sender: &mut Sender, number: u64) -> bool {
    let kind = Kind::of(number);
    let call = sender.send_request(request(kind, number));
    let expected = tenant(number % TENANTS).to_string();
    match kind {
        Kind::Slow => {
            let call = tokio::time::timeout(Duration::from_millis(5), call);
            assert!(call.await.is_err(), "{number} was to be cancelled");
            false
        }
        Kind::Panic => {
            assert!(call.await.is_err(), "{number} was to panic");
            false
        }
        Kind::Rejected => {
            let response = call.await.expect("an answer");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            response.into_body().collect().await.expect("a body");
            true
        }
        Kind::Plain | Kind::Careless | Kind::Stream => {
            let response = call.await.expect("an answer");
            assert_eq!(response.status(), StatusCode::OK, "{number}");
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            let expected = if matches!(kind, Kind::Stream) { expected.repeat(3) } else { expected };
            assert_eq!(body, expected, "{number}");
            true
        }
    }
}

/// Consecutive requests of a connection have different tenants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_under_load_belong_to_their_own_tenants() {
    let cached = CachedDirectory::new(Arc::new(directory()), 20).ttl(Duration::from_millis(20));
    let layer = TenantLayer::builder().directory(cached).trust_header().build();
    let address = serve(layer, tower::service_fn(handle)).await;
    let next = Arc::new(AtomicU64::new(0));
    let clients = (0..CONNECTIONS).map(|_| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let mut sender = connect(address).await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return;
                }
                if !check(&mut sender, number).await {
                    sender = connect(address).await;
                }
                sender.ready().await.expect("a connection");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("every answer as expected");
    }
    assert!(next.load(Ordering::Relaxed) >= REQUESTS);
}

/// Sends 50 streams of 50 tenants on one connection, 20 times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_http2_connection_keep_their_tenants() {
    let address = serve(trusting(), tower::service_fn(handle)).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for round in 0..20 {
        let streams = (0..TENANTS).map(|number| {
            let mut sender = sender.clone();
            // HTTP/2 needs an authority.
            let kind = if (number + round) % 3 == 0 { Kind::Stream } else { Kind::Plain };
            let mut request = request(kind, number);
            *request.uri_mut() = format!("http://{address}{}", kind.path()).parse().unwrap();
            tokio::spawn(async move {
                let response = sender.send_request(request).await.expect("an answer");
                assert_eq!(response.version(), http::Version::HTTP_2);
                let body = response.into_body().collect().await.expect("a body").to_bytes();
                let times = if matches!(kind, Kind::Stream) { 3 } else { 1 };
                assert_eq!(body, tenant(number).to_string().repeat(times));
            })
        });
        for stream in streams.collect::<Vec<_>>() {
            stream.await.unwrap();
        }
    }
}

#[tokio::test]
async fn connection_outlives_the_suspension_of_its_tenant() {
    let directory = Arc::new(directory());
    let layer = TenantLayer::builder().directory(Arc::clone(&directory)).trust_header().build();
    let address = serve(layer, tower::service_fn(handle)).await;
    let mut sender = connect(address).await;
    let mut status = async |number| {
        let response = sender.send_request(request(Kind::Plain, number)).await.unwrap();
        let status = response.status().as_u16();
        response.into_body().collect().await.unwrap();
        sender.ready().await.unwrap();
        status
    };
    assert_eq!(status(21).await, 200);
    directory.set(tenant(21), TenantStatus::Suspended);
    assert_eq!(status(21).await, 403);
    assert_eq!(status(22).await, 200);
    directory.set(tenant(21), TenantStatus::Active);
    assert_eq!(status(21).await, 200);
}

/// A handler calls a layered service as another tenant.
#[tokio::test]
async fn nested_call_restores_the_outer_tenant() {
    let inner = trusting();
    let service = tower::service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            let before = seen();
            if request.uri().path() == "/outer" {
                let nested = tower::Layer::layer(&inner, echo());
                let response = tower::ServiceExt::oneshot(nested, get(&tenant(5).to_string())).await.unwrap();
                assert_eq!(text(response).await, tenant(5).to_string());
            }
            assert_eq!(before, seen());
            Ok::<_, Infallible>(Response::new(Body::from(before)))
        }
    });
    let outer = tower::Layer::layer(&trusting(), service);
    let mut request = get(&tenant(4).to_string());
    *request.uri_mut() = "/outer".parse().unwrap();
    let response = tower::ServiceExt::oneshot(outer, request).in_own_context().await.unwrap();
    assert_eq!(text(response).await, tenant(4).to_string());
}
