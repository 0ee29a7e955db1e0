//! Children that end: with their owner, at a limit, and on Ctrl-C or a termination signal.
//!
//! Each child leads a process group, so that what it started ends with it: a test binary with its cargo.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The groups of the children that run. Locked from before a start, and while a child is reaped: a signal
/// in between neither misses one nor meets an id that is somebody else's by now.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static ENDED_BY_SIGNAL: AtomicBool = AtomicBool::new(false);
static CONCLUDES: AtomicBool = AtomicBool::new(false);

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on a signal ends the children first.
pub(crate) fn end_on_signal() -> Result<()> {
    ctrlc::set_handler(|| {
        // Kept to the exit: nothing starts any more.
        let running = running();
        ENDED_BY_SIGNAL.store(true, Ordering::SeqCst);
        for group in running.iter() {
            end_group(*group);
        }
        if !CONCLUDES.load(Ordering::SeqCst) {
            process::exit(INTERRUPTED);
        }
    })
    .context("no handler for Ctrl-C")
}

/// A signal is the expected end: it ends the children, and the caller comes to its own conclusion.
pub(crate) fn conclude_on_signal() {
    CONCLUDES.store(true, Ordering::SeqCst);
}

pub(crate) fn ended_by_signal() -> bool {
    ENDED_BY_SIGNAL.load(Ordering::SeqCst)
}

/// By the shell's own `kill`: a program of that name is not on every machine.
fn end_group(group: u32) {
    // Fails where the group has ended by itself.
    let _ = Command::new("sh").args(["-c", &format!("kill -KILL -{group}")]).stderr(Stdio::null()).status();
}

/// A child, and whatever it starts.
#[derive(Debug)]
pub(crate) struct Owned(Child);

impl Owned {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut running = running();
        // Outside the terminal's group a read from the terminal would stop it.
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        running.push(child.id());
        Ok(Self(child))
    }

    pub(crate) fn take_output(&mut self) -> Result<ChildStdout> {
        self.0.stdout.take().context("the child's output is not piped, or was taken")
    }

    /// Waits for the exit code; past the limit the child is ended and there is none.
    ///
    /// # Errors
    ///
    /// Where a signal ended it.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<i32>> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.reaped()? {
                return match status.code() {
                    Some(code) => Ok(Some(code)),
                    None => bail!("ended by a signal ({status})"),
                };
            }
            if Instant::now() > end {
                self.end();
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn reaped(&mut self) -> Result<Option<process::ExitStatus>> {
        let mut running = running();
        let status = self.0.try_wait()?;
        if status.is_some() {
            running.retain(|id| *id != self.0.id());
        }
        Ok(status)
    }

    pub(crate) fn end(&mut self) {
        let mut running = running();
        let Some(at) = running.iter().position(|id| *id == self.0.id()) else { return };
        end_group(self.0.id());
        // Fails where it was reaped, and it was not.
        let _ = self.0.wait();
        running.swap_remove(at);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Owned {
        Owned::start(Command::new("sh").args(["-c", script]).stdout(Stdio::piped())).unwrap()
    }

    #[test]
    fn gives_the_exit_code() {
        assert_eq!(shell("exit 7").wait(Duration::from_secs(10)).unwrap(), Some(7));
    }

    #[test]
    fn a_signal_is_not_an_exit_code() {
        assert!(shell("kill -KILL $$").wait(Duration::from_secs(10)).is_err());
    }

    #[test]
    fn the_limit_ends_what_the_child_started_too() {
        let mut child = shell("sleep 60 & sleep 60");
        let mut output = child.take_output().unwrap();
        assert_eq!(child.wait(Duration::from_millis(100)).unwrap(), None);
        // Both held the pipe: it ends when both are gone.
        let started = Instant::now();
        io::Read::read_to_end(&mut output, &mut Vec::new()).unwrap();
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
