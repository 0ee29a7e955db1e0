//! The program `http`, started and reachable.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::client::get;
use super::fixtures::UNKNOWN;
use super::program::Program;
use super::qemu::{self, Device};

/// Starts `http` on this port of 127.0.0.1, or on an unused one, and waits until it responds.
///
/// `more` are further arguments of QEMU.
pub(crate) fn start(
    program: &Program,
    elf: &Path,
    port: Option<u16>,
    more: &[&str],
) -> Result<(Device, u16)> {
    // Bound here first, because QEMU reports a used port in the middle of its warnings.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
        .with_context(|| format!("cannot use port {}", port.unwrap_or(0)))?;
    let port = listener.local_addr()?.port();
    drop(listener);
    let forward = format!("user,model=stellaris,hostfwd=tcp:127.0.0.1:{port}-:80");
    let device = qemu::start(program, elf, &[&["-nic", &*forward], more].concat())?;
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match device.log.recv_timeout(Duration::from_millis(100)) {
            Ok(line) if line.contains("listening") => break,
            Err(RecvTimeoutError::Disconnected) => bail!("QEMU ended at its start: is port {port} in use?"),
            _ if Instant::now() < end => {}
            _ => bail!("http did not start within 20 s"),
        }
    }
    while Instant::now() < end {
        if get(port, format!("X-Tenant-ID: {UNKNOWN}\r\n").as_bytes()).is_ok_and(|status| status == 404) {
            return Ok((device, port));
        }
    }
    bail!("http did not respond within 20 s")
}
