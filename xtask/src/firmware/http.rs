//! The test of the device's HTTP server, with valid and with malformed requests.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::client::{field, get, get_response, status};
use super::fixtures::{ACTIVE, Case, SUSPENDED, UNKNOWN, cases};
use super::program::Program;
use super::{agents, hostile, server, tokens};
use crate::packages::need;
use crate::process::Step;

const MALFORMED: u64 = 10_000;
const CLIENTS: u64 = 4;
const VALID_EVERY: u64 = 500;
const PROGRESS_EVERY: u64 = 2_000;
/// How long a client waits for a socket: on a busy machine the device closes sockets more slowly than clients open
/// them.
const SOCKET_WAIT: Duration = Duration::from_secs(10);

pub(crate) fn test(program: &Program, elf: &Path) -> Result<()> {
    need("curl", &["curl"], "an HTTP client from outside this project")?;
    let (mut device, port) = server::start(program, elf, None, &[])?;
    let result = header_cases(port)
        .and_then(|()| tokens::test(port))
        .and_then(|()| agents::test(port))
        .and_then(|()| curl(port))
        .and_then(|()| rate_limit(port))
        .and_then(|()| malformed(port));
    device.child.kill();
    let log: Vec<String> = device.log.iter().collect();
    if let Err(error) = result {
        let tail = &log[log.len().saturating_sub(40)..];
        bail!("{error:#}; the end of the device's log:\n{}", tail.join("\n"));
    }
    contexts_alternate(&log)?;
    stack_has_room(&log)?;
    tokens::test_without_a_clock(program, elf)
}

/// Sends the shared header cases and those of the device; each gets its status.
fn header_cases(port: u16) -> Result<()> {
    let cases = cases();
    for Case { origin, status, fields } in &cases {
        let shown = || format!("{origin}, {}", fields.escape_ascii());
        let got = get(port, fields).with_context(shown)?;
        ensure!(got == *status, "{} got {got}, not {status}", shown());
    }
    println!("    {} request heads, each with its status", cases.len());
    Ok(())
}

/// Checks that a tenant over its limit is told when to try again and is served then, and that the other tenant is
/// served in the meantime.
fn rate_limit(port: u16) -> Result<()> {
    let [one, other] = ACTIVE.map(|tenant| format!("X-Tenant-ID: {tenant}\r\n").into_bytes());
    let (served, rejection) = until_rejected(port, &other)?;
    ensure!(get(port, &one)? == 200, "a tenant is limited by the requests of the other");
    let text = rejection.escape_ascii();
    ensure!(
        field(&rejection, "Content-Type") == Some("application/problem+json"),
        "not a problem document: {text}"
    );
    let wait = field(&rejection, "Retry-After").and_then(|seconds| seconds.parse().ok());
    let wait = wait
        .filter(|seconds| (1..=10).contains(seconds))
        .with_context(|| format!("no valid Retry-After: {text}"))?;
    thread::sleep(Duration::from_secs(wait));
    ensure!(get(port, &other)? == 200, "still over its limit after {wait} s");
    println!("    429 after {served} requests of a tenant in a row, and 200 after {wait} s");
    Ok(())
}

/// Sends requests until one gets 429; returns how many were served before, and the response.
fn until_rejected(port: u16, fields: &[u8]) -> Result<(u32, Vec<u8>)> {
    for served in 0..2_000 {
        let response = get_response(port, fields)?;
        match status(&response) {
            Some(200) => {}
            Some(429) => return Ok((served, response)),
            _ => bail!("neither 200 nor 429: {}", response.escape_ascii()),
        }
    }
    bail!("no limit after 2,000 requests")
}

fn curl(port: u16) -> Result<()> {
    for (tenant, expected) in [(ACTIVE[0], "200"), (ACTIVE[1], "200"), (SUSPENDED, "403"), (UNKNOWN, "404")] {
        let printed = Step::new("curl")
            .args(&["--silent", "--max-time", "10", "--write-out", "%{http_code}"])
            .args(&["--header", &format!("X-Tenant-ID: {tenant}"), &format!("http://127.0.0.1:{port}/")])
            .output()?;
        ensure!(printed.ends_with(expected), "curl got {printed:?}, not {expected}");
        let names_tenant = printed.contains(tenant);
        ensure!(names_tenant == (expected == "200"), "wrong mention of a tenant in {printed:?}");
    }
    println!("    curl gets the tenant that it requests");
    Ok(())
}

/// Sends 10,000 malformed requests by several concurrent clients, a valid one after each 500, and one at the end.
fn malformed(port: u16) -> Result<()> {
    let next = AtomicU64::new(0);
    let rejected = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= MALFORMED {
                            return Ok(());
                        }
                        if is_rejected(port, number)? {
                            rejected.fetch_add(1, Ordering::Relaxed);
                        }
                        if number.is_multiple_of(VALID_EVERY) {
                            valid(port).with_context(|| format!("after malformed request {number}"))?;
                        }
                        if (number + 1).is_multiple_of(PROGRESS_EVERY) {
                            println!("    {} of {MALFORMED} malformed requests", number + 1);
                        }
                    }
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| match client.join() {
            Ok(result) => result,
            Err(_) => bail!("a client panicked"),
        })
    })?;
    valid(port).context("after all malformed requests")?;
    let rejected = rejected.load(Ordering::Relaxed);
    println!(
        "    {MALFORMED} malformed requests in {:.0} s: {rejected} got 4xx, the others were closed",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Returns whether a malformed request gets a 4xx response. One that must get it may have to wait for a socket.
fn is_rejected(port: u16, number: u64) -> Result<bool> {
    let end = Instant::now() + SOCKET_WAIT;
    loop {
        let received = hostile::attack(port, number)
            .with_context(|| format!("malformed request {number}: neither response nor close"))?;
        match status(&received) {
            Some(400..=499) => return Ok(true),
            None if received.is_empty() && !hostile::wants_response(number) => return Ok(false),
            None if received.is_empty() && Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            _ => bail!("malformed request {number} got {:?}", String::from_utf8_lossy(&received)),
        }
    }
}

/// Sends a valid request, which may have to wait for a socket.
fn valid(port: u16) -> Result<()> {
    let end = Instant::now() + SOCKET_WAIT;
    loop {
        match get(port, format!("X-Tenant-ID: {}\r\n", ACTIVE[0]).as_bytes()) {
            Ok(200) => return Ok(()),
            Ok(status) => bail!("a valid request got {status}"),
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.context("a valid request got no response")),
        }
    }
}

/// Checks that the context of each request was set, and cleared before the next request.
fn contexts_alternate(log: &[String]) -> Result<()> {
    let mut set = false;
    let mut count = 0;
    for line in log {
        ensure!(!line.starts_with("ERROR"), "the device logged: {line}");
        if line.contains("context set") || line.contains("context cleared") {
            ensure!(line.contains("context set") != set, "out of order in the log: {line}");
            set = !set;
            count += 1;
        }
    }
    ensure!(!set && count > 40, "{count} log lines of contexts set and cleared; still set at the end: {set}");
    println!("    {} contexts in the log, each set and then cleared", count / 2);
    Ok(())
}

/// Checks that at least an eighth of the stack was never used.
fn stack_has_room(log: &[String]) -> Result<()> {
    let measured = log.iter().rev().find_map(|line| line.strip_prefix("INFO stack: "));
    let measured = measured.context("the device did not log its stack usage")?;
    let numbers = measured.split(' ').filter_map(|word| word.parse::<u64>().ok());
    let [used, size] = numbers.collect::<Vec<_>>()[..] else { bail!("no stack usage in: {measured}") };
    ensure!(used * 8 <= size * 7, "less than an eighth of the stack is left: {measured}");
    println!("    stack: {measured}");
    Ok(())
}
