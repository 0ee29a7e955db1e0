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

use crate::device::Program;
use crate::owned::Owned;
use crate::packages;

/// Installs both emulators where they are missing.
pub(crate) fn set_up() -> Result<()> {
    packages::need("qemu-system-arm", &["qemu-system-arm"], "it runs the Arm programs")?;
    packages::need("qemu-system-riscv32", &["qemu-system-misc"], "it runs the RISC-V program")
}

/// A running device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) child: Owned,
    /// Its log lines as they come, `LEVEL message`; it ends with the device.
    pub(crate) log: Receiver<String>,
}

/// Starts the program; `more` goes to QEMU.
pub(crate) fn start(program: &Program, elf: &Path, more: &[&str]) -> Result<Device> {
    let bytes = fs::read(elf).with_context(|| format!("{} was not built", elf.display()))?;
    let table = Table::parse(&bytes)?.context("the program has no defmt data")?;
    let mut child =
        Owned::start(qemu(program, elf, more).stdout(Stdio::piped())).context("QEMU did not start")?;
    let mut frames = child.take_output()?;
    let (lines, log) = mpsc::channel();
    thread::spawn(move || {
        if let Err(error) = decode(&table, &mut frames, |line| lines.send(line).is_ok()) {
            // The reader may have gone.
            let _ = lines.send(format!("ERROR {error:#}"));
        }
    });
    Ok(Device { child, log })
}

/// The command line of a program's machine; standard output is its semihosting.
pub(crate) fn qemu(program: &Program, elf: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program.machine[0]);
    command.args(&program.machine[1..]).args(["-display", "none", "-monitor", "none", "-serial", "null"]);
    command.args(["-semihosting-config", "enable=on,target=native"]).args(more).arg("-kernel").arg(elf);
    // It warns of a timer with period 0 whenever a program starts; faults come by the exit code.
    command.stderr(Stdio::null());
    command
}

/// Decodes frames until they end, or nobody wants more.
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

/// Runs a program to its end: its exit code and its log.
pub(crate) fn run(program: &Program, elf: &Path) -> Result<(i32, Vec<String>)> {
    let mut device = start(program, elf, &[])?;
    let code = device.child.wait(Duration::from_secs(program.limit))?;
    let log: Vec<String> = device.log.iter().collect();
    let code = code.ok_or_else(|| {
        anyhow!("{} was still running after {} s; its log:\n{}", program.name, program.limit, log.join("\n"))
    })?;
    Ok((code, log))
}
