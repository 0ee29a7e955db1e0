//! A device in QEMU, and its log.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, anyhow, bail};
use defmt_decoder::{DecodeError, Table};
use tenancy_testkit::process::ChildGroup;

use super::program::Program;
use crate::packages::need;
use crate::process::exit_code;

/// Installs both emulators if they are missing.
pub(crate) fn set_up() -> Result<()> {
    need("qemu-system-arm", &["qemu-system-arm"], "it runs the Arm programs")?;
    need("qemu-system-riscv32", &["qemu-system-misc"], "it runs the RISC-V program")
}

/// A running device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) child: ChildGroup,
    /// The lines of its log as they come, in the form `LEVEL message`. The channel closes when the device ends.
    pub(crate) log: Receiver<String>,
}

/// Starts the program; `more` are further arguments of QEMU.
pub(crate) fn start(program: &Program, elf: &Path, more: &[&str]) -> Result<Device> {
    let bytes = fs::read(elf).with_context(|| format!("{} was not built", elf.display()))?;
    let table = Table::parse(&bytes)?.context("the program has no defmt data")?;
    let mut child =
        ChildGroup::spawn(qemu(program, elf, more).stdout(Stdio::piped())).context("cannot start QEMU")?;
    let mut frames = child.take_stdout().context("standard output is piped")?;
    let (lines, log) = mpsc::channel();
    thread::spawn(move || {
        if let Err(error) = decode(&table, &mut frames, |line| lines.send(line).is_ok()) {
            // Fails if the receiver was dropped.
            let _ = lines.send(format!("ERROR {error:#}"));
        }
    });
    Ok(Device { child, log })
}

/// Returns the command that runs a program on its machine. Standard output carries the semihosting output.
pub(crate) fn qemu(program: &Program, elf: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program.machine[0]);
    command.args(&program.machine[1..]).args(["-display", "none", "-monitor", "none", "-serial", "null"]);
    command.args(["-semihosting-config", "enable=on,target=native"]).args(more).arg("-kernel").arg(elf);
    // QEMU warns about a timer with period 0 at every start. Faults are visible in the exit status.
    command.stderr(Stdio::null());
    command
}

/// Decodes log frames until they end, or until `line` returns `false`.
fn decode(table: &Table, frames: &mut impl Read, mut line: impl FnMut(String) -> bool) -> Result<()> {
    let mut decoder = table.new_stream_decoder();
    let mut buffer = [0; 4096];
    loop {
        match frames.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => decoder.received(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let level = frame.level().map_or("PRINT", |level| level.as_str());
                    if !line(format!("{} {}", level.to_uppercase(), frame.display_message())) {
                        return Ok(());
                    }
                }
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) => bail!("the log has a malformed frame"),
            }
        }
    }
}

/// Runs a program to its end, and returns its exit status and its log.
pub(crate) fn run(program: &Program, elf: &Path) -> Result<(i32, Vec<String>)> {
    let mut device = start(program, elf, &[])?;
    let code = exit_code(&mut device.child, Duration::from_secs(program.limit))?;
    let log: Vec<String> = device.log.iter().collect();
    let code = code.ok_or_else(|| {
        anyhow!("{} was still running after {} s; its log:\n{}", program.name, program.limit, log.join("\n"))
    })?;
    Ok((code, log))
}
