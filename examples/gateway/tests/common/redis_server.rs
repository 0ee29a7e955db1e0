//! A redis-server of the test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use gateway::shared::{RedisUrl, SharedRedis};
use redis::{Client, Connection, FromRedisValue};

use super::process::wait_for;

/// A server on a unix socket, with a password or without, which ends with the test.
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
        let folder = env::temp_dir().join(format!("gateway-redis-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let child = Command::new("true").spawn().expect("a process");
        let mut server = Self { child, folder, password };
        server.restart();
        server
    }

    /// Starts it again on the same socket, empty.
    pub(crate) fn restart(&mut self) {
        self.child.wait().expect("it has ended");
        self.child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--requirepass", self.password, "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `cargo xtask test gateway` does it");
        wait_for(|| self.client().get_connection().ok()).expect("it listens");
    }

    /// Ends it at once, with what it holds.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn url(&self) -> String {
        let password =
            if self.password.is_empty() { String::new() } else { format!("?pass={}", self.password) };
        format!("unix://{}{password}", self.socket().display())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn client(&self) -> Client {
        Client::open(self.url()).expect("an address")
    }

    /// As an instance of the service has it.
    pub(crate) async fn shared(&self) -> SharedRedis {
        SharedRedis::connect(&RedisUrl::from(self.url())).await.expect("a connection")
    }

    pub(crate) fn raw(&self) -> Connection {
        self.client().get_connection().expect("a connection")
    }

    /// What a line of words gives, whose ever the keys are.
    pub(crate) fn ask<T: FromRedisValue>(&self, line: &str) -> T {
        let words: Vec<_> = line.split(' ').collect();
        let reply = redis::cmd(words[0]).arg(&words[1..]).query(&mut self.raw());
        reply.unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
