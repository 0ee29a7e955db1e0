//! Hostile request heads, sent as raw bytes to a real server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{echo, serve, tenant, trusting};

/// Sends bytes on a new connection; returns the statuses and the text of its responses until it closes.
async fn say(address: SocketAddr, bytes: &[u8]) -> (Vec<u16>, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    let _ =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut heard)).await.expect("an end");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let statuses = heard
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| heard.get(at + 9..at + 12)?.parse().ok())
        .collect();
    (statuses, heard)
}

fn head(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{fields}\r\n").into_bytes()
}

#[tokio::test]
async fn rejects_smuggled_and_malformed_heads() {
    let address = serve(trusting(), echo()).await;
    let (one, other) = (tenant(1).to_string(), tenant(2).to_string());
    let cases = [
        (format!("X-Tenant-ID: {one}\r\n"), 200),
        (format!("x-TENANT-id:\t {one}\t \r\n"), 200),
        (format!("X-Tenant-ID: {one}\r\nX-Tenant-ID: {one}\r\n"), 400),
        (format!("X-Tenant-ID: {one}\r\nx-tenant-id: {other}\r\n"), 400),
        (format!("X-Tenant-ID: {one}, {other}\r\n"), 400),
        (format!("X-Tenant-ID: {one}\r\n {other}\r\n"), 400),
        (format!("X-Tenant-ID:\r\n {one}\r\n"), 400),
        (format!("X-Tenant-ID : {one}\r\n"), 400),
        (format!(" X-Tenant-ID: {one}\r\n"), 400),
        (format!("X-Tenant-ID\0: {one}\r\n"), 400),
        (format!("X-Tenant-ID: {one}\0\r\n"), 400),
        (format!("X-Tenant-ID: {one}\x7f\r\n"), 400),
        (format!("X-Tenant-ID: {one}\rX-Other: a\r\n"), 400),
        (format!("X-Tenant_ID: {one}\r\n"), 400),
        (format!("X-Tenant-ID: {}\r\n", "a".repeat(8_000)), 400),
        (format!("X-Tenant-ID: {}{one}\r\n", "0".repeat(4_000)), 400),
        ("X-Tenant-ID: \u{ff15}50e8400-e29b-41d4-a716-446655440000\r\n".to_owned(), 400),
        ("X-Tenant-ID\r\n".to_owned(), 400),
        (format!("Connection: X-Tenant-ID\r\nX-Tenant-ID: {one}\r\n"), 200),
    ];
    for (fields, status) in cases {
        let (statuses, heard) = say(address, &head(&fields)).await;
        assert_eq!(statuses, [status], "{fields:?}");
        assert_eq!(heard.contains(&one), status == 200, "{fields:?}: {heard}");
        assert!(!heard.contains(&other), "{fields:?}");
    }
}

/// No request may run in the tenant of another request on the same connection.
#[tokio::test]
async fn pipelined_requests_keep_their_own_tenants() {
    let address = serve(trusting(), echo()).await;
    let (one, other) = (tenant(1).to_string(), tenant(2).to_string());
    let keep = |fields: &str| format!("GET / HTTP/1.1\r\nHost: here\r\n{fields}\r\n").into_bytes();
    let with = |id: &str| format!("X-Tenant-ID: {id}\r\n");

    let (statuses, heard) = say(address, &[keep(&with(&one)), head(&with(&other))].concat()).await;
    assert_eq!(statuses, [200, 200]);
    assert!(heard.find(&one) < heard.find(&other) && heard.contains(&one));

    let (statuses, heard) = say(address, &[keep(&with(&one)), keep(""), head(&with(&other))].concat()).await;
    assert_eq!(statuses, [200, 400, 200]);
    assert_eq!(heard.matches(&one).count(), 1);

    // A body that looks like a request is not a request.
    let inner = keep(&with(&other));
    let post =
        format!("POST / HTTP/1.1\r\nHost: here\r\n{}Content-Length: {}\r\n\r\n", with(&one), inner.len());
    let (statuses, heard) = say(address, &[post.into_bytes(), inner, head("")].concat()).await;
    assert!(statuses.starts_with(&[200]) && !statuses[1..].contains(&200), "{statuses:?}");
    assert!(!heard.contains(&other));

    // Two lengths, or a length and chunks, are rejected.
    for framing in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked, identity\r\n",
    ] {
        let post = format!("POST / HTTP/1.1\r\nHost: here\r\n{}{framing}\r\nhello", with(&one));
        let (statuses, _) = say(address, post.as_bytes()).await;
        assert_eq!(statuses, [400], "{framing}");
    }
}
