//! A client of HTTP/2, with many streams in one connection.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) type Client = SendRequest<Full<Bytes>>;

pub(crate) async fn connect(address: SocketAddr) -> Client {
    connect_with_window(address, 1 << 20).await
}

/// Connects with a window of so many bytes for each response, until they are read.
pub(crate) async fn connect_with_window(address: SocketAddr, window: u32) -> Client {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (client, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2 at once");
    tokio::spawn(connection);
    client
}

/// Waits until the connection has ended.
pub(crate) async fn ended(client: &mut Client) {
    while client.ready().await.is_ok() {
        // There is no event to wait for: the caller sets the deadline.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub(crate) async fn ask(
    mut client: Client,
    call: (&str, &str),
    tenant: &str,
    body: String,
) -> (StatusCode, Value) {
    let request = request(call, tenant, body);
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) fn request((method, path): (&str, &str), tenant: &str, body: String) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("http://gateway{path}"))
        .header("authorization", "Bearer demo-operator")
        .header("x-tenant-id", tenant)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}
