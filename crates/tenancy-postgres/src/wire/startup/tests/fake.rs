//! Servers that are none.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
#[cfg(feature = "rustls")]
use tokio::sync::oneshot;

use super::ConnectOptions;

pub(super) fn options(address: SocketAddr) -> ConnectOptions {
    let options = ConnectOptions::new().host(&address.ip().to_string()).port(address.port());
    options.user("u").password("hunter2").database("d")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A port that nobody listens on.
pub(super) async fn closed_port() -> SocketAddr {
    listen().await.1
}

/// Accepts connections, and never sends anything.
pub(super) async fn silent() -> SocketAddr {
    answering(Vec::new()).await
}

/// Sends the same to each client after its first bytes, and reads everything.
pub(super) async fn answering(answer: Vec<u8>) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = client.read(&mut buffer).await;
                let _ = client.write_all(&answer).await;
                while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

/// As [`answering`] for one client; returns what the client sent until it closed.
#[cfg(feature = "rustls")]
pub(super) async fn recording(answer: Vec<u8>) -> (SocketAddr, oneshot::Receiver<Vec<u8>>) {
    let (listener, address) = listen().await;
    let (send, receive) = oneshot::channel();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut received = vec![0; 1024];
        let first = client.read(&mut received).await.unwrap_or(0);
        received.truncate(first);
        let _ = client.write_all(&answer).await;
        let _ = client.read_to_end(&mut received).await;
        let _ = send.send(received);
    });
    (address, receive)
}

/// Demands SCRAM-SHA-256. `{nonce}` in the first message stands for the client's nonce; `last` follows its proof, and
/// the end of the start-up.
pub(super) async fn scram(first: &'static str, last: Vec<u8>) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut buffer = [0; 1024];
        let _ = client.read(&mut buffer).await;
        let _ = client.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")).await;
        let read = client.read(&mut buffer).await.unwrap_or(0);
        let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let nonce = request.rsplit_once("r=").map_or("", |(_, nonce)| nonce);
        let first = first.replace("{nonce}", nonce);
        let _ = client.write_all(&message(b'R', &[b"\0\0\0\x0b", first.as_bytes()].concat())).await;
        if client.read(&mut buffer).await.is_ok_and(|read| read > 0) {
            let end = [message(b'K', &[0; 8]), message(b'Z', b"I")].concat();
            let _ = client.write_all(&[last, end].concat()).await;
            while client.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        }
    });
    address
}

/// A message with a tag and a length.
pub(super) fn message(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).expect("short");
    [&[tag], &length.to_be_bytes()[..], content].concat()
}

/// An `ErrorResponse`.
pub(super) fn error(code: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{code}\0Ma message\0\0").as_bytes())
}
