//! Connections with several tenants, and slow clients.

use std::collections::BTreeSet;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tenancy_gateway::app;
use tenancy_gateway::backends::Backends;
use tenancy_gateway::config::Config;
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::serve::{Limits, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::call::{Call, Connection};
use crate::support::h2::{ask, connect, connect_with_window, ended, request};
use crate::support::process::{Gateway, wait_for};
use crate::support::{ACME, GLOBEX, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn http2_streams_have_separate_tenants() {
    let gateway = Gateway::start();
    let client = connect(gateway.address).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (tenant, client) = (if n % 2 == 0 { ACME } else { GLOBEX }, client.clone());
        tasks.spawn(async move {
            let text = format!("{{\"text\":\"{tenant} {n}\"}}");
            let (status, _) = ask(client.clone(), ("POST", "/v1/notes"), tenant, text).await;
            assert_eq!(status, 201);
            let (status, who) = ask(client, ("GET", "/v1/whoami"), tenant, String::new()).await;
            assert_eq!((status, who["tenant"].as_str()), (StatusCode::OK, Some(tenant)));
        });
    }
    tokio::time::timeout(PATIENCE, tasks.join_all()).await.expect("in time");
    for tenant in [ACME, GLOBEX] {
        let (_, page) = ask(client.clone(), ("GET", "/v1/notes"), tenant, String::new()).await;
        let notes = page["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 50);
        assert!(notes.iter().all(|note| note["text"].as_str().unwrap().starts_with(tenant)));
    }
}

/// Checks that the connection is closed, neither too early nor too late.
fn is_closed_in_time(mut connection: Connection, since: Instant) {
    assert_eq!(connection.rest(), "", "nothing is answered");
    let after = since.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&after), "{after:?}");
}

#[test]
fn closes_connections_with_a_slow_head() {
    let gateway = Gateway::with(&["--head-timeout", "1"]);
    let head = Call::get("/v1/notes").by("alice").of(ACME).head();
    // hyper's own time-out does not cover the second half of the HTTP/2 preface, nor the time before the first byte.
    for beginning in
        ["", "G", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &head[..40]]
    {
        let (since, mut connection) = (Instant::now(), Connection::to(gateway.address));
        connection.write(beginning.as_bytes());
        if beginning.ends_with("SM\r\n\r\n") {
            // The server sends its settings and nothing else.
            connection.stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut connection.stream, &mut bytes).unwrap();
            assert!(since.elapsed() < Duration::from_secs(10));
        } else {
            is_closed_in_time(connection, since);
        }
    }
}

#[test]
fn closes_connections_that_send_single_bytes() {
    let gateway = Gateway::with(&["--head-timeout", "1"]);
    let (since, mut connection) = (Instant::now(), Connection::to(gateway.address));
    let head = Call::get("/v1/notes").by("alice").of(ACME).head();
    for byte in head.bytes() {
        // The slow client is what is tested: each byte comes in time, but the whole head does not.
        thread::sleep(Duration::from_millis(100));
        if std::io::Write::write_all(&mut connection.stream, &[byte]).is_err()
            || since.elapsed().as_secs() > 3
        {
            break;
        }
    }
    assert!(since.elapsed() < Duration::from_secs(10));
    assert_eq!(connection.rest(), "");
}

#[test]
fn closes_idle_connections_but_not_streams() {
    let gateway = Gateway::with(&["--head-timeout", "3", "--write-timeout", "3", "--rate", "0"]);
    let mut busy = Connection::to(gateway.address);
    busy.write(&Call::get("/v1/notes/events").by("alice").of(ACME).bytes());
    assert_eq!(busy.answer_head().status, 200);
    let (since, mut idle) = (Instant::now(), Connection::to(gateway.address));
    assert_eq!(idle.ask(&Call::get("/healthz")).status, 200);
    is_closed_in_time(idle, since);
    // The time-out has to pass for the busy connection as well, which began a little earlier.
    thread::sleep(Duration::from_millis(1500));
    Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"still on"}"#).send(gateway.address);
    busy.until("still on");
}

/// A connection that answers each PING but has no request is idle.
#[tokio::test(flavor = "multi_thread")]
async fn closes_idle_http2_connections_but_not_streams() {
    let gateway = Gateway::with(&["--head-timeout", "3", "--write-timeout", "3"]);
    let mut busy = connect(gateway.address).await;
    let events = busy.send_request(request(("GET", "/v1/notes/events"), ACME, String::new())).await.unwrap();
    let since = Instant::now();
    let mut idle = connect(gateway.address).await;
    let (status, _) = ask(idle.clone(), ("GET", "/healthz"), ACME, String::new()).await;
    assert_eq!(status, 200);
    tokio::time::timeout(PATIENCE, ended(&mut idle)).await.expect("it is ended");
    assert!(since.elapsed() > Duration::from_millis(900), "{:?}", since.elapsed());
    // The time-out has to pass for the busy connection as well, which began a little earlier.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (status, _) = ask(busy, ("GET", "/v1/whoami"), ACME, String::new()).await;
    assert_eq!((status, events.status()), (StatusCode::OK, StatusCode::OK));
}

/// This includes responses of layers. HTTP/2 forbids a body, and hyper does not remove it.
#[tokio::test(flavor = "multi_thread")]
async fn head_responses_have_no_body() {
    let gateway = Gateway::with(&["--rate", "1", "--burst", "1"]);
    let client = connect(gateway.address).await;
    let mut seen = BTreeSet::new();
    for path in ["/", "/page.js"].into_iter().chain(["/v1/notes"; 100]) {
        let (head, body) = ask(client.clone(), ("HEAD", path), ACME, String::new()).await;
        assert_eq!(body, serde_json::Value::Null, "{path}");
        seen.insert((path, head.as_u16()));
        if head == 429 {
            break;
        }
    }
    let expected = [("/", 400), ("/page.js", 200), ("/v1/notes", 200), ("/v1/notes", 429)];
    assert_eq!(seen, BTreeSet::from(expected));
    let (head, _) = ask(client.clone(), ("HEAD", "/v1/notes"), "no tenant", String::new()).await;
    assert_eq!(head, 400);
}

/// RFC 9110, section 8.6. hyper ensures this for HTTP/1.1, but not for HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn bodiless_responses_have_no_content_length() {
    let gateway = Gateway::start();
    let client = connect(gateway.address).await;
    let call = |method: &'static str, path: &str, body: &str| {
        let request = request((method, path), ACME, body.to_owned());
        let (mut client, (mut head, body)) = (client.clone(), request.into_parts());
        head.headers.insert("if-none-match", "\"1\"".parse().unwrap());
        async move { client.send_request(hyper::Request::from_parts(head, body)).await.unwrap() }
    };
    let made = call("POST", "/v1/agents", r#"{"name":"a"}"#).await;
    let path = made.headers()["location"].to_str().unwrap();
    for (method, status) in [("GET", 304), ("HEAD", 304), ("DELETE", 412), ("HEAD", 304)] {
        let answer = call(method, path, "").await;
        assert_eq!(answer.status(), status, "{method}");
        assert_eq!(answer.headers().contains_key("content-length"), status == 412, "{method}");
    }
    let beat = call("POST", &format!("{path}/heartbeat"), "").await;
    assert_eq!((beat.status().as_u16(), beat.headers().get("content-length")), (204, None));
    let again = Call::new("HEAD", path).by("alice").of(ACME).field("If-None-Match", "*");
    let again = again.send(gateway.address);
    assert_eq!((again.status, again.field("content-length")), (304, None));
}

/// The body exceeds the socket buffers: closing the connection before reading it would lose the response.
#[test]
fn oversized_request_receives_a_readable_rejection() {
    let gateway = Gateway::start();
    let body = " ".repeat(32 << 20);
    let post = || Call::new("POST", "/v1/notes").of(ACME).json(&body);
    for (call, status) in [(post().by("alice"), 413), (post(), 401), (post().by("bob"), 403)] {
        let mut connection = Connection::to(gateway.address);
        assert_eq!((connection.ask(&call).status, connection.rest()), (status, String::new()));
    }
}

/// Nothing of the response is written, so no time-out of the socket applies.
#[tokio::test(flavor = "multi_thread")]
async fn closes_http2_connections_without_window() {
    let gateway = Gateway::with(&["--write-timeout", "3", "--head-timeout", "600"]);
    let writer = connect(gateway.address).await;
    for _ in 0..8 {
        let note = format!("{{\"text\":\"{}\"}}", "x".repeat(4096));
        assert_eq!(ask(writer.clone(), ("POST", "/v1/notes"), ACME, note).await.0, 201);
    }
    for window in [0, 1024] {
        let mut reader = connect_with_window(gateway.address, window).await;
        let list = request(("GET", "/v1/notes?limit=200"), ACME, String::new());
        let answer = reader.send_request(list).await.unwrap();
        assert_eq!(answer.status(), 200);
        tokio::time::timeout(PATIENCE, ended(&mut reader)).await.expect("it is let go");
    }
    // A client that reads in small parts gets the whole response.
    let reader = connect_with_window(gateway.address, 1024).await;
    let (_, page) = ask(reader, ("GET", "/v1/notes?limit=200"), ACME, String::new()).await;
    assert_eq!(page["notes"].as_array().unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_beyond_the_limit_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, closing) = (listener.local_addr().unwrap(), CancellationToken::new());
    let config = <Config as clap::Parser>::parse_from(["gateway"]);
    let service =
        app::service(&config, PrincipalsFile::demo().unwrap(), Backends::default(), closing.clone().into())
            .unwrap();
    let limits = Limits { connections: 2, ..config.limits() };
    let served = tokio::spawn(serve(listener, service, limits, closing.clone()));
    let asked = tokio::task::spawn_blocking(move || {
        let healthz = Call::get("/healthz");
        let mut kept: Vec<_> = (0..2).map(|_| Connection::to(address)).collect();
        assert!(kept.iter_mut().all(|connection| connection.ask(&healthz).status == 200));
        let mut third = Connection::to(address);
        third.write(&healthz.bytes());
        third.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(third.stream.peek(&mut [0]).is_err(), "there is no place for it");
        third.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        kept.pop();
        assert_eq!(third.answer().status, 200);
    });
    asked.await.unwrap();
    closing.cancel();
    assert_eq!(served.await.unwrap(), Ok(()));
}

#[test]
fn survives_running_out_of_file_descriptors() {
    let gateway = Gateway::with_descriptors(32);
    let connections: Vec<_> = (0..64).map(|_| Connection::to(gateway.address)).collect();
    gateway.stderr.with("could not accept a connection");
    drop(connections);
    let status = wait_for(|| Some(Call::get("/healthz").send(gateway.address).status));
    assert_eq!(status, Some(200));
}

/// A client that reads nothing must not occupy a connection permanently.
#[test]
fn closes_connections_that_do_not_read() {
    let gateway = Gateway::with(&["--rate", "0", "--write-timeout", "1", "--log", "debug"]);
    let note = format!(r#"{{"text":"{}"}}"#, "\u{1f980}".repeat(4096));
    let mut writer = Connection::to(gateway.address);
    for _ in 0..16 {
        let call = Call::new("POST", "/v1/notes").by("alice").of(ACME).json(&note);
        assert_eq!(writer.ask(&call).status, 201);
    }
    let mut reader = Connection::with_small_buffer(gateway.address);
    let call = Call::get("/v1/notes?limit=200").by("alice").of(ACME);
    // More than the system's buffers hold.
    for _ in 0..64 {
        if reader.stream.write_all(&call.bytes()).is_err() {
            break;
        }
    }
    gateway.stderr.with("writing a body");
}
