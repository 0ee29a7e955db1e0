//! A redis-server of a test's or a benchmark's own; who includes this file adds what it asks it.

#![allow(dead_code, reason = "nobody uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use redis::{Client, Connection};

/// A server on a unix socket, with a password or without, which ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    password: &'static str,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with_password("")
    }

    pub(crate) fn with_password(password: &'static str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-redis-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut command = command(&folder, password);
        let child = command.spawn().expect("redis-server is installed: `cargo xtask test redis` does it");
        let server = Self { child, folder, password };
        server.wait();
        server
    }

    /// Ends it at once, with what it holds.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same socket, empty.
    pub(crate) fn restart(&mut self) {
        self.child = command(&self.folder, self.password).spawn().expect("redis-server starts");
        self.wait();
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.client(2).get_connection().is_err() {
            assert!(Instant::now() < end, "redis-server did not listen within 30 s");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// It accepts what is sent and answers nothing, until it is [resumed](Self::resume).
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.expect("sh").success(), "{name}");
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) fn url(&self) -> String {
        let password =
            if self.password.is_empty() { String::new() } else { format!("?pass={}", self.password) };
        format!("unix://{}{password}", self.socket().display())
    }

    /// A client that speaks RESP2 or RESP3.
    pub(crate) fn client(&self, resp: u8) -> Client {
        let url = self.url();
        let and = if url.contains('?') { '&' } else { '?' };
        Client::open(format!("{url}{and}protocol=resp{resp}")).expect("an address")
    }

    pub(crate) fn raw(&self) -> Connection {
        self.client(2).get_connection().expect("a connection")
    }
}

fn command(folder: &Path, password: &str) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--requirepass", password, "--unixsocket"]);
    command.arg(folder.join("socket")).arg("--dir").arg(folder).stdout(Stdio::null());
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
