//! Commands: what they run in, how they fail, and that they end.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::owned::Owned;

/// Longer than the slowest build on a slow machine.
const LIMIT: Duration = Duration::from_mins(30);

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The cargo that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Step {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // Each package is built once in each of many ways, and what would make the next build of it faster takes gigabytes.
    if env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    Step(command)
}

/// A command that says itself when it starts, and fails with its name.
#[derive(Debug)]
pub(crate) struct Step(pub(crate) Command);

impl Step {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        println!("    {line}");
        let mut child = Owned::start(&mut self.0).with_context(|| format!("could not start `{line}`"))?;
        succeeded(&mut child, &line)
    }

    /// Like `run`, but in the terminal's own group, without a limit: `sudo` may ask for a password.
    pub(crate) fn run_attended(mut self) -> Result<()> {
        let line = self.line();
        println!("    {line}");
        let status = self.0.status().with_context(|| format!("could not start `{line}`"))?;
        if !status.success() {
            bail!("`{line}` failed: {status}");
        }
        Ok(())
    }

    /// Its standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let line = self.line();
        let mut child = Owned::start(self.0.stdout(Stdio::piped()))
            .with_context(|| format!("could not start `{line}`"))?;
        let mut pipe = child.take_output()?;
        // Read on the side, or a full pipe would keep it from its end.
        let reader = thread::spawn(move || {
            let mut printed = String::new();
            pipe.read_to_string(&mut printed).map(|_| printed)
        });
        succeeded(&mut child, &line)?;
        let printed = reader.join().map_err(|_| anyhow!("the reader of `{line}` panicked"))?;
        printed.with_context(|| format!("`{line}` printed other than UTF-8"))
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

fn succeeded(child: &mut Owned, line: &str) -> Result<()> {
    match child.wait(LIMIT).with_context(|| format!("`{line}`"))? {
        Some(0) => Ok(()),
        Some(code) => bail!("`{line}` failed: exit status {code}"),
        None => bail!("`{line}` was still running after {} min, and was ended", LIMIT.as_secs() / 60),
    }
}

/// Whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}
