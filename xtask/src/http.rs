//! The device's HTTP server, under a client that means well and one that does not.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::agents;
use crate::cases::{self, Case};
use crate::client::{ask, field, get, status};
use crate::device::Program;
use crate::firmware::{ACTIVE, SUSPENDED, UNKNOWN, start_http};
use crate::hostile;
use crate::packages;
use crate::process::Step;
use crate::qemu::Device;

const BROKEN: u64 = 10_000;
const CLIENTS: u64 = 4;
const GOOD_EVERY: u64 = 500;
const PROGRESS_EVERY: u64 = 2_000;
/// On a busy machine the device closes its sockets more slowly than the clients open theirs.
const SOCKET_WAIT: Duration = Duration::from_secs(10);

pub(crate) fn test(program: &Program, elf: &Path) -> Result<()> {
    packages::need("curl", &["curl"], "a client that this project did not write")?;
    let (mut device, port) = start_http(program, elf, None)?;
    let result = well_meant(port)
        .and_then(|()| agents::test(port))
        .and_then(|()| by_curl(port))
        .and_then(|()| limited(port))
        .and_then(|()| broken(port));
    device.child.end();
    let log = log_of(&device);
    if let Err(error) = result {
        let tail = &log[log.len().saturating_sub(40)..];
        bail!("{error:#}; the end of the device's log:\n{}", tail.join("\n"));
    }
    contexts_alternate(&log)?;
    stack_has_room(&log)
}

fn log_of(device: &Device) -> Vec<String> {
    device.log.iter().collect()
}

/// What the device alone refuses: its memory is small.
fn too_large() -> [Case; 3] {
    let fields = [
        format!("X-Tenant-ID: {}\r\n", "a".repeat(5_000)),
        "A: b\r\n".repeat(30),
        format!("{}X-Tenant-ID: {}\r\n", "A: b\r\n".repeat(24), ACTIVE[0]),
    ];
    fields.map(|fields| Case { line: 0, status: 431, fields: fields.into_bytes() })
}

fn well_meant(port: u16) -> Result<()> {
    let cases: Vec<_> = cases::all()?.into_iter().chain(too_large()).collect();
    for Case { line, status, fields } in &cases {
        let shown = || format!("line {line} of the cases, {}", fields.escape_ascii());
        let got = get(port, fields).with_context(shown)?;
        ensure!(got == *status, "{} got {got}, not {status}", shown());
    }
    println!("    {} heads, each with its status", cases.len());
    Ok(())
}

/// A tenant over its limit hears when to come back, and is served again then; the other is served all along.
fn limited(port: u16) -> Result<()> {
    let [one, other] = ACTIVE.map(|tenant| format!("X-Tenant-ID: {tenant}\r\n").into_bytes());
    let (served, refusal) = until_refused(port, &other)?;
    ensure!(get(port, &one)? == 200, "one tenant's limit is the other's");
    let text = refusal.escape_ascii();
    ensure!(field(&refusal, "Content-Type") == Some("application/problem+json"), "no problem: {text}");
    let wait = field(&refusal, "Retry-After").and_then(|seconds| seconds.parse().ok());
    let wait =
        wait.filter(|seconds| (1..=10).contains(seconds)).with_context(|| format!("no time: {text}"))?;
    thread::sleep(Duration::from_secs(wait));
    ensure!(get(port, &other)? == 200, "still over its limit after {wait} s");
    println!("    429 after {served} requests of a tenant at once, and 200 after {wait} s");
    Ok(())
}

/// How many requests were served before one got 429, and that one's answer.
fn until_refused(port: u16, fields: &[u8]) -> Result<(u32, Vec<u8>)> {
    for served in 0..2_000 {
        let answer = ask(port, fields)?;
        match status(&answer) {
            Some(200) => {}
            Some(429) => return Ok((served, answer)),
            _ => bail!("neither served nor over its limit: {}", answer.escape_ascii()),
        }
    }
    bail!("2,000 requests, and no limit")
}

fn by_curl(port: u16) -> Result<()> {
    for (tenant, expected) in [(ACTIVE[0], "200"), (ACTIVE[1], "200"), (SUSPENDED, "403"), (UNKNOWN, "404")] {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "10", "--write-out", "%{http_code}"]);
        command.args(["--header", &format!("X-Tenant-ID: {tenant}"), &format!("http://127.0.0.1:{port}/")]);
        let printed = Step(command).output()?;
        ensure!(printed.ends_with(expected), "curl got {printed:?}, not {expected}");
        let names_tenant = printed.contains(tenant);
        ensure!(names_tenant == (expected == "200"), "the answer {printed:?} names a tenant, or does not");
    }
    println!("    curl gets the tenant that it names");
    Ok(())
}

/// 10,000 broken requests by several clients at once, a good one after each 500, and one at the end.
fn broken(port: u16) -> Result<()> {
    let next = AtomicU64::new(0);
    let answered = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= BROKEN {
                            return Ok(());
                        }
                        if is_answered(port, number)? {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        if number.is_multiple_of(GOOD_EVERY) {
                            good(port).with_context(|| format!("after broken request {number}"))?;
                        }
                        if (number + 1).is_multiple_of(PROGRESS_EVERY) {
                            println!("    {} of {BROKEN} broken requests", number + 1);
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
    good(port).context("after all of the broken requests")?;
    let answered = answered.load(Ordering::Relaxed);
    println!(
        "    {BROKEN} broken requests in {:.0} s: {answered} answered with 4xx, the others closed",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Whether a broken request is answered; one that has to be may have to wait for a socket.
fn is_answered(port: u16, number: u64) -> Result<bool> {
    let end = Instant::now() + SOCKET_WAIT;
    loop {
        let heard = hostile::send(port, number)
            .with_context(|| format!("broken request {number}: neither answer nor close"))?;
        match status(&heard) {
            Some(400..=499) => return Ok(true),
            None if heard.is_empty() && !hostile::wants_answer(number) => return Ok(false),
            None if heard.is_empty() && Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            _ => bail!("broken request {number} got {:?}", String::from_utf8_lossy(&heard)),
        }
    }
}

/// A good request, which may have to wait for a socket.
fn good(port: u16) -> Result<()> {
    let end = Instant::now() + SOCKET_WAIT;
    loop {
        match get(port, format!("X-Tenant-ID: {}\r\n", ACTIVE[0]).as_bytes()) {
            Ok(200) => return Ok(()),
            Ok(status) => bail!("a good request got {status}"),
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.context("a good request got no answer")),
        }
    }
}

/// Each request's context was set, and cleared before the next one's.
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
    ensure!(!set && count > 40, "{count} lines of contexts set and cleared; the last one set: {set}");
    println!("    the log has {} contexts, each set and then cleared", count / 2);
    Ok(())
}

/// Of the stack, an eighth was never used.
fn stack_has_room(log: &[String]) -> Result<()> {
    let measured = log.iter().rev().find_map(|line| line.strip_prefix("INFO stack: "));
    let measured = measured.context("the device did not measure its stack")?;
    let numbers = measured.split(' ').filter_map(|word| word.parse::<u64>().ok());
    let [used, size] = numbers.collect::<Vec<_>>()[..] else { bail!("no stack in: {measured}") };
    ensure!(used * 8 <= size * 7, "too little stack: {measured}");
    println!("    stack: {measured}");
    Ok(())
}
