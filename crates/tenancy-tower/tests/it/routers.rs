//! axum: the extractor, the layer in a router, and web sockets.

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, get};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use tenancy::TenantFutureExt;
use tenancy_tower::{CurrentTenant, Rejection};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tower::ServiceExt;

use crate::support::{get_of, seen, serve, tenant, text, trusting};

async fn whoami(CurrentTenant(tenant): CurrentTenant) -> String {
    assert_eq!(tenant.to_string(), seen());
    tenant.to_string()
}

#[tokio::test]
async fn extractor_returns_the_requests_tenant() {
    let router: Router = Router::new().route("/", get(whoami)).layer(trusting());
    let response = router.oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(text(response).await, tenant(1).to_string());
}

#[tokio::test]
async fn extractor_rejects_without_the_layer() {
    let router: Router = Router::new().route("/", get(whoami));
    let response = router.oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(text(response).await, Rejection::NotInstalled.problem());
}

#[tokio::test]
async fn extractor_rejects_on_exempt_paths() {
    let router: Router = Router::new().route("/healthz", get(whoami)).layer(trusting());
    let mut request = get_of(tenant(1));
    *request.uri_mut() = "/healthz".parse().unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 503);
}

#[tokio::test]
async fn handler_can_return_a_rejection() {
    let router: Router = Router::new().route("/", get(|| async { Err::<(), _>(Rejection::RateLimited) }));
    let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (Rejection::RateLimited.status(), &http::HeaderValue::from_static("application/problem+json"))
    );
}

async fn upgrade(upgrade: WebSocketUpgrade, CurrentTenant(tenant): CurrentTenant) -> Response {
    upgrade.on_upgrade(move |socket| echo(socket).in_tenant(tenant))
}

async fn forgetful(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(Message::Text(_))) = socket.recv().await {
        if socket.send(Message::Text(seen().into())).await.is_err() {
            return;
        }
    }
}

/// Uses twenty sockets of twenty tenants in turn, and one whose task is not given a tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websocket_task_runs_in_the_tenant_it_is_given() {
    let router: Router = Router::new().route("/echo", any(upgrade)).route("/forgetful", any(forgetful));
    let address = serve(trusting(), router).await;
    let connect = async |path: &str, number: u64| {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        request.headers_mut().insert("x-tenant-id", tenant(number).to_string().parse().unwrap());
        tokio_tungstenite::connect_async(request).await.unwrap().0
    };
    let mut sockets = Vec::new();
    for number in 0..20 {
        sockets.push(connect("/echo", number).await);
    }
    for _ in 0..10 {
        for (number, socket) in (0..).zip(&mut sockets) {
            socket.send(tungstenite::Message::text("who?")).await.unwrap();
            let answer = socket.next().await.unwrap().unwrap();
            assert_eq!(answer.to_text().unwrap(), tenant(number).to_string());
        }
    }
    let mut socket = connect("/forgetful", 1).await;
    socket.send(tungstenite::Message::text("who?")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().to_text().unwrap(), "none");
}

#[tokio::test]
async fn websocket_without_a_tenant_is_rejected() {
    let router: Router = Router::new().route("/echo", any(upgrade));
    let address = serve(trusting(), router).await;
    let error = tokio_tungstenite::connect_async(format!("ws://{address}/echo")).await.unwrap_err();
    let tungstenite::Error::Http(response) = error else { panic!("{error}") };
    assert_eq!(response.status(), 400);
}
