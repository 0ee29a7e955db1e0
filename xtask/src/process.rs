//! Commands: where they run, how they fail, and how long they may take.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tenancy_testkit::process::{ChildGroup, Signal};

use crate::signals;

/// Longer than the slowest build on a slow machine.
const LIMIT: Duration = Duration::from_mins(40);

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Returns the folder of build results.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// A command of the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Step {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Step::new(program).args(arguments).like_cargo()
}

/// A command that prints itself when it starts, and whose error contains its name.
#[derive(Debug)]
pub(crate) struct Step(Command);

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Command::new(program))
    }

    /// Sets what every command of cargo and its plugins has in common.
    pub(crate) fn like_cargo(mut self) -> Self {
        self.0.current_dir(root());
        // Results of incremental builds take gigabytes, and a check builds most packages once.
        if env::var_os("CARGO_INCREMENTAL").is_none() {
            self.0.env("CARGO_INCREMENTAL", "0");
        }
        self
    }

    pub(crate) fn args(mut self, arguments: &[impl AsRef<OsStr>]) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    pub(crate) fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs the command and fails unless it succeeds.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        println!("    {line}");
        let mut child = ChildGroup::spawn(&mut self.0).with_context(|| format!("cannot start `{line}`"))?;
        succeed(&mut child, &line)
    }

    /// Like [`run`](Self::run), but in the terminal's own process group and without a limit, because `sudo` may ask
    /// for a password.
    pub(crate) fn run_attended(mut self) -> Result<()> {
        let line = self.line();
        println!("    {line}");
        let status = self.0.status().with_context(|| format!("cannot start `{line}`"))?;
        ensure!(status.success(), "`{line}` failed: {status}");
        Ok(())
    }

    /// Runs the command and returns its standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let line = self.line();
        let mut child = ChildGroup::spawn(self.0.stdout(Stdio::piped()))
            .with_context(|| format!("cannot start `{line}`"))?;
        let mut pipe = child.take_stdout().context("standard output is piped")?;
        // A thread reads, because a child blocks when the pipe is full.
        let reader = thread::spawn(move || {
            let mut printed = String::new();
            pipe.read_to_string(&mut printed).map(|_| printed)
        });
        succeed(&mut child, &line)?;
        let printed = reader.join().map_err(|_| anyhow!("the reader of `{line}` panicked"))?;
        printed.with_context(|| format!("`{line}` did not print UTF-8"))
    }

    fn line(&self) -> String {
        let program = Path::new(self.0.get_program()).file_name().unwrap_or_default().to_string_lossy();
        let mut line = program.into_owned();
        for argument in self.0.get_args() {
            line.push(' ');
            line.push_str(&argument.to_string_lossy());
        }
        line
    }
}

fn succeed(child: &mut ChildGroup, line: &str) -> Result<()> {
    match exit_code(child, LIMIT).with_context(|| format!("`{line}`"))? {
        Some(0) => Ok(()),
        Some(code) => bail!("`{line}` failed: exit status {code}"),
        None => bail!("`{line}` was still running after {} min and was killed", LIMIT.as_secs() / 60),
    }
}

/// Waits for the exit code. Returns `None` if the child was still running after the limit; it is killed then.
///
/// On Ctrl-C it interrupts the child and ends this program.
///
/// # Errors
///
/// If a signal ended the child.
pub(crate) fn exit_code(child: &mut ChildGroup, limit: Duration) -> Result<Option<i32>> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.wait_timeout(Duration::from_millis(200))? {
            return status.code().map(Some).with_context(|| format!("ended by a signal ({status})"));
        }
        if signals::interrupted() {
            // A test runner ends its tests, which are in process groups of their own. It fails if the child has ended.
            let _ = child.signal(Signal::Interrupt);
            let _ = child.wait_timeout(Duration::from_secs(10));
            child.kill();
            process::exit(signals::STATUS);
        }
    }
    child.kill();
    Ok(None)
}

/// Returns whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    find(program).is_some()
}

/// Returns the path of a program on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Step {
        Step::new("sh").args(&["-c", script])
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = shell("exit 7").run().unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 7` failed: exit status 7");
    }

    #[test]
    fn a_signal_is_a_failure() {
        let error = shell("kill -KILL $$").run().unwrap_err();
        assert!(format!("{error:#}").contains("ended by a signal"), "{error:#}");
    }

    #[test]
    fn output_is_larger_than_a_pipe() {
        let printed = shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done").output();
        assert_eq!(printed.unwrap().len(), 220_000);
    }

    #[test]
    fn kills_a_child_at_the_limit() {
        let mut child = ChildGroup::spawn(Command::new("sleep").arg("60")).unwrap();
        assert_eq!(exit_code(&mut child, Duration::from_millis(50)).unwrap(), None);
        assert!(child.try_wait().unwrap().is_some());
    }
}
