//! A server that ends, comes back, and stands still.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Server;

impl Server {
    /// Ends it at once, with what it holds.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same socket, empty.
    pub(crate) fn restart(&mut self) {
        self.child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(self.folder.join("socket"))
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
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
}
