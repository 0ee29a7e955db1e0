//! `cargo xtask firmware`: a program in QEMU, its log as it comes.

use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::agents;
use crate::client::get;
use crate::cross::Cross;
use crate::device::{PROGRAMS, Program};
use crate::owned;
use crate::qemu::{self, Device};

/// Ids of `http`'s tenants: active, suspended, and of nobody.
pub(crate) const ACTIVE: [&str; 2] =
    ["550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"];
pub(crate) const SUSPENDED: &str = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
pub(crate) const UNKNOWN: &str = "11111111-1111-4111-8111-111111111111";

/// `None` where the arguments are not understood.
pub(crate) fn run(arguments: &[&str]) -> Result<Option<ExitCode>> {
    let (name, port) = match arguments {
        [] => {
            let mut names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
            names.dedup();
            println!("programs: {}; this is quickstart", names.join(", "));
            ("quickstart", None)
        }
        [name] => (*name, None),
        [name, "--port", port] | ["--port", port, name] => {
            let Ok(port) = port.parse::<u16>() else {
                eprintln!("error: `{port}` is not a port");
                return Ok(None);
            };
            (*name, Some(port))
        }
        _ => return Ok(None),
    };
    let Some(program) = Program::find(name) else {
        eprintln!("error: there is no program `{name}`");
        return Ok(None);
    };
    let cross = Cross::set_up()?;
    qemu::set_up()?;
    println!("==> building {name} for {}", program.target);
    let elf = program.build(cross, &[])?;
    if name == "http" {
        crate::packages::need("curl", &["curl"], "you will want to try it")?;
        return http(&program, &elf, port).map(Some);
    }
    println!("==> {name} on {}", program.machine[2]);
    to_its_end(&program, &elf).map(Some)
}

fn to_its_end(program: &Program, elf: &std::path::Path) -> Result<ExitCode> {
    let limit = Duration::from_secs(program.limit);
    let end = Instant::now() + limit;
    let mut device = qemu::start(program, elf, &[])?;
    loop {
        match device.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => println!("{line}"),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => bail!("{} was still running after {limit:?}", program.name),
        }
    }
    match device.child.wait(Duration::from_secs(5))? {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(code) => bail!("{} ended with {code}", program.name),
        None => bail!("{} closed its log and kept running", program.name),
    }
}

fn http(program: &Program, elf: &std::path::Path, port: Option<u16>) -> Result<ExitCode> {
    let (mut device, port) = start_http(program, elf, port)?;
    owned::conclude_on_signal();
    println!("==> http answers on a Cortex-M3; try, in another terminal:");
    let url = format!("http://127.0.0.1:{port}/");
    for tenant in ACTIVE {
        println!("curl -H 'X-Tenant-ID: {tenant}' {url}");
    }
    println!("curl -i -H 'X-Tenant-ID: {SUSPENDED}' {url}   # 403: suspended");
    println!("curl -i -H 'X-Tenant-ID: {UNKNOWN}' {url}   # 404: unknown");
    println!("curl -i -H 'X-Tenant-ID: no-tenant' {url}   # 400: malformed");
    println!("curl -i {url}   # 400: missing");
    println!("curl -i -H 'X-Tenant-ID: {}' -H 'X-Tenant-ID: {}' {url}   # 400: twice", ACTIVE[0], ACTIVE[1]);
    let codes = "-s -o /dev/null -w '%{http_code} '";
    println!(
        "curl {codes} -H 'X-Tenant-ID: {}' '{url}?[1-100]'   # 429 in the end: over its limit",
        ACTIVE[1]
    );
    for line in agents::curl_lines(port)? {
        println!("{line}");
    }
    println!("==> Ctrl-C ends it; its log:");
    for line in &device.log {
        println!("{line}");
    }
    device.child.end();
    if !owned::ended_by_signal() {
        bail!("http ended by itself");
    }
    println!("==> ended");
    Ok(ExitCode::SUCCESS)
}

/// Starts `http` on the port, or on a free one, and waits until it answers.
pub(crate) fn start_http(
    program: &Program,
    elf: &std::path::Path,
    port: Option<u16>,
) -> Result<(Device, u16)> {
    // Asked for here, for QEMU's own message would be lost among its warnings.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
        .with_context(|| format!("port {} can't be had", port.unwrap_or(0)))?;
    let port = listener.local_addr()?.port();
    drop(listener);
    let forward = format!("user,model=stellaris,hostfwd=tcp:127.0.0.1:{port}-:80");
    let device = qemu::start(program, elf, &["-nic", &forward])?;
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        // It listens when its first log line comes.
        match device.log.recv_timeout(Duration::from_millis(100)) {
            Ok(line) if line.contains("listening") => break,
            Err(RecvTimeoutError::Disconnected) => bail!("QEMU ended at once: is port {port} taken?"),
            _ if Instant::now() < end => {}
            _ => bail!("http did not start within 20 s"),
        }
    }
    while Instant::now() < end {
        if get(port, format!("X-Tenant-ID: {UNKNOWN}\r\n").as_bytes()).is_ok_and(|status| status == 404) {
            return Ok((device, port));
        }
    }
    bail!("http did not answer within 20 s")
}
