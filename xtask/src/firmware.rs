//! `cargo xtask firmware`: a program in QEMU, with its log as it comes.

#[cfg(test)]
mod agent_json;
pub(crate) mod agents;
mod client;
pub(crate) mod cross;
mod fixtures;
mod hostile;
pub(crate) mod http;
pub(crate) mod mutants;
pub(crate) mod program;
pub(crate) mod qemu;
mod server;
pub(crate) mod size;
mod thumb;
mod tokens;

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::packages::need;
use crate::process::exit_code;
use crate::signals;
use cross::Cross;
use fixtures::{ACTIVE, SUSPENDED, UNKNOWN};
use program::Program;

/// Builds a program and runs it until it ends; `http` runs until Ctrl-C.
pub(crate) fn run(name: &str, port: Option<u16>) -> Result<()> {
    let program = Program::find(name).with_context(|| format!("no program `{name}`"))?;
    let cross = Cross::set_up()?;
    qemu::set_up()?;
    println!("==> building {name} for {}", program.target);
    let elf = program.build(cross, &[])?;
    if name == "http" {
        need("curl", &["curl"], "the client of the commands that `http` prints")?;
        return serve(&program, &elf, port);
    }
    println!("==> {name} on {}", program.machine[2]);
    run_to_end(&program, &elf)
}

fn run_to_end(program: &Program, elf: &Path) -> Result<()> {
    let limit = Duration::from_secs(program.limit);
    let end = Instant::now() + limit;
    let mut device = qemu::start(program, elf, &[])?;
    loop {
        match device.log.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => println!("{line}"),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if signals::interrupted() => bail!("interrupted"),
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            Err(RecvTimeoutError::Timeout) => bail!("{} was still running after {limit:?}", program.name),
        }
    }
    match exit_code(&mut device.child, Duration::from_secs(5))? {
        Some(0) => Ok(()),
        Some(code) => bail!("{} ended with status {code}", program.name),
        None => bail!("{} closed its log and kept running", program.name),
    }
}

fn serve(program: &Program, elf: &Path, port: Option<u16>) -> Result<()> {
    let (mut device, port) = server::start(program, elf, port, &[])?;
    println!("==> http runs on a Cortex-M3; try in another terminal:");
    let url = format!("http://127.0.0.1:{port}/");
    for tenant in ACTIVE {
        println!("curl -H 'X-Tenant-ID: {tenant}' {url}");
    }
    println!("curl -i -H 'X-Tenant-ID: {SUSPENDED}' {url}   # 403: suspended");
    println!("curl -i -H 'X-Tenant-ID: {UNKNOWN}' {url}   # 404: unknown");
    println!("curl -i -H 'X-Tenant-ID: no-tenant' {url}   # 400: malformed");
    println!("curl -i {url}   # 400: missing");
    println!(
        "curl -i -H 'X-Tenant-ID: {}' -H 'X-Tenant-ID: {}' {url}   # 400: two tenants",
        ACTIVE[0], ACTIVE[1]
    );
    let codes = "-s -o /dev/null -w '%{http_code} '";
    println!("curl {codes} -H 'X-Tenant-ID: {}' '{url}?[1-100]'   # 429 after its limit", ACTIVE[1]);
    for line in agents::curl_lines(port)? {
        println!("{line}");
    }
    println!("==> press Ctrl-C to stop; the log of the device:");
    while !signals::interrupted() {
        match device.log.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => println!("{line}"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("http ended without Ctrl-C"),
        }
    }
    device.child.kill();
    println!("==> stopped");
    Ok(())
}
