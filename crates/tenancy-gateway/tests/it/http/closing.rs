//! Shutdown.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;

use tenancy_testkit::process::Signal;

use crate::support::ACME;
use crate::support::call::{Call, Connection};
use crate::support::process::{Gateway, wait_for};

const BODY: &str = r#"{"text":"slow"}"#;

/// Sends the head of a request whose handler waits for the body.
fn begin(gateway: &Gateway) -> Connection {
    let mut connection = Connection::to(gateway.address);
    let call = Call::new("POST", "/v1/notes").by("alice").of(ACME).field("Expect", "100-continue").json(BODY);
    connection.write(call.head().as_bytes());
    // The server sends this when the handler reads the body.
    connection.until("HTTP/1.1 100 Continue\r\n\r\n");
    connection
}

fn ends_well_by(signal: Signal) {
    let mut gateway = Gateway::start();
    let mut idle = Connection::to(gateway.address);
    assert_eq!(idle.ask(&Call::get("/healthz")).status, 200);
    let mut silent = Connection::to(gateway.address);
    let mut events = Connection::to(gateway.address);
    events.write(&Call::get("/v1/notes/events").by("alice").of(ACME).bytes());
    assert_eq!(events.answer_head().status, 200);
    let mut slow = begin(&gateway);
    slow.write(&BODY.as_bytes()[..5]);

    gateway.signal(signal);
    gateway.stdout.with("closing: ");
    assert_eq!(idle.rest(), "", "idle connections are closed");
    assert_eq!(silent.rest(), "");
    assert_eq!(events.rest(), "0\r\n\r\n", "streams are ended, and not broken off");
    let refused = wait_for(|| TcpStream::connect(gateway.address).err());
    assert!(refused.is_some(), "new connections are refused");

    slow.write(&BODY.as_bytes()[5..]);
    let answer = slow.answer();
    assert_eq!((answer.status, answer.field("connection")), (201, Some("close")), "what was begun is done");
    assert_eq!(gateway.end().code(), Some(0));
    gateway.stdout.with("all requests are finished");
}

#[test]
fn sigint_completes_requests_in_progress() {
    ends_well_by(Signal::Interrupt);
}

#[test]
fn sigterm_completes_requests_in_progress() {
    ends_well_by(Signal::Terminate);
}

#[test]
fn gives_up_on_requests_after_the_grace_period() {
    let mut gateway = Gateway::with(&["--shutdown-timeout", "1"]);
    let slow = begin(&gateway);
    gateway.signal(Signal::Terminate);
    assert_eq!(gateway.end().code(), Some(1));
    gateway.stderr.with("gave up on 1 connections after 1 s");
    drop(slow);
}

/// The grace period is for requests: connections with no request, or with half of one, are closed at once.
#[test]
fn shutdown_does_not_wait_for_idle_connections() {
    let mut gateway = Gateway::with(&["--shutdown-timeout", "8"]);
    let mut half = Connection::to(gateway.address);
    half.write(b"GET /healthz HTTP/1.1\r\nHost: gate");
    let mut second = Connection::to(gateway.address);
    second.write(&[&Call::get("/healthz").bytes()[..], b"GET /healthz HTT"].concat());
    assert_eq!(second.answer().status, 200);
    gateway.signal(Signal::Terminate);
    assert_eq!(gateway.end().code(), Some(0));
    gateway.stdout.with("all requests are finished");
}

#[test]
fn second_interrupt_stops_at_once() {
    let mut gateway = Gateway::with(&["--shutdown-timeout", "60"]);
    let slow = begin(&gateway);
    gateway.signal(Signal::Interrupt);
    gateway.stdout.with("closing: ");
    gateway.signal(Signal::Interrupt);
    let status = gateway.end();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    drop(slow);
}

#[test]
fn stops_at_once_without_requests() {
    let mut gateway = Gateway::start();
    gateway.signal(Signal::Interrupt);
    assert_eq!(gateway.end().code(), Some(0));
}
