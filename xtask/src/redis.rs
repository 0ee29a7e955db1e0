//! A redis-server of our own, and what is made from it.

mod rules;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::owned::Owned;
use crate::packages;
use crate::process::Step;

pub(crate) use table::write as write_table;

/// Installs the server if it is not there.
pub(crate) fn set_up() -> Result<()> {
    packages::need("redis-server", &["redis-server"], "the server that tenancy-redis is for")
}

/// A server that listens on a socket in a folder of its own, and ends when dropped.
#[derive(Debug)]
struct Server {
    _child: Owned,
    folder: PathBuf,
}

impl Server {
    fn start() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("tenancy-redis-table-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--unixsocket"]).arg(folder.join("socket"));
        command.args(["--save", "", "--dir"]).arg(&folder).stdout(Stdio::null());
        let child = Owned::start(&mut command).context("could not start redis-server")?;
        let server = Self { _child: child, folder };
        let end = Instant::now() + Duration::from_secs(30);
        while !server.folder.join("socket").exists() {
            ensure!(Instant::now() < end, "redis-server did not listen within 30 s");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// The reply to a command, as redis-cli writes it in JSON.
    fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.folder.join("socket")).arg("--json").args(arguments);
        Ok(serde_json::from_str(&Step(command).output()?)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of value is in it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
