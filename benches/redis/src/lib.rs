//! What the benchmarks of tenancy-redis need: a server, and a connection to nowhere.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use redis::{Client, Cmd, ConnectionLike, RedisResult, Value};

/// A connection that neither packs nor sends.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl ConnectionLike for Nowhere {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, count: usize) -> RedisResult<Vec<Value>> {
        Ok(vec![Value::Nil; count])
    }

    fn req_command(&mut self, _: &Cmd) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }
}

/// A redis-server on a unix socket, which ends with this.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// Where it can't be started: `cargo xtask bench` installs it.
    pub fn start() -> Self {
        let folder = env::temp_dir().join(format!("tenancy-bench-redis-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("socket"));
        command.arg("--dir").arg(&folder).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is installed: `cargo xtask bench` does it");
        let server = Self { child, folder };
        let end = Instant::now() + Duration::from_secs(30);
        while server.client().get_connection().is_err() {
            assert!(Instant::now() < end, "redis-server did not listen within 30 s");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// A client of it.
    ///
    /// # Panics
    ///
    /// Where the folder for temporary files has a name that is no part of a URL.
    pub fn client(&self) -> Client {
        Client::open(format!("unix://{}", self.folder.join("socket").display())).expect("an address")
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
