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
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2 at once");
    tokio::spawn(connection);
    client
}

pub(crate) async fn ask(
    mut client: Client,
    call: (&str, &str),
    tenant: &str,
    body: String,
) -> (StatusCode, Value) {
    let (method, path) = call;
    let request = Request::builder()
        .method(method)
        .uri(format!("http://gateway{path}"))
        .header("authorization", "Bearer demo-operator")
        .header("x-tenant-id", tenant)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap();
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}
