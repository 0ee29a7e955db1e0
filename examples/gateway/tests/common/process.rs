//! The program as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A gateway, which ends with the test.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// What a process has written so far.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<String>>);

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let shared = output.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = shared.0.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        output
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    /// The text, once something is in it.
    pub(crate) fn with(&self, part: &str) -> String {
        let found = wait_for(|| Some(self.text()).filter(|text| text.contains(part)));
        found.unwrap_or_else(|| panic!("no {part:?} in {:?}", self.text()))
    }
}

/// The program with the environment that a test is to see, and no other.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = prepared(Command::new(env!("CARGO_BIN_EXE_gateway")));
    command.args(arguments);
    command
}

fn prepared(mut command: Command) -> Command {
    for name in [
        "LISTEN",
        "PRINCIPALS",
        "RATE",
        "BURST",
        "MAX_NOTES",
        "SHUTDOWN_TIMEOUT",
        "LOG",
        "HEAD_TIMEOUT",
        "WRITE_TIMEOUT",
        "MAX_AGENTS",
        "SESSION",
    ] {
        command.env_remove(format!("GATEWAY_{name}"));
    }
    // A machine that is held up is no outage.
    command.env("GATEWAY_REDIS_TIMEOUT", "20000");
    // What is kept in files says so.
    command.env("GATEWAY_MEMORY", "1").env_remove("GATEWAY_DATA");
    for name in ["REDIS_URL", "DATABASE_URL", "DATABASE_LISTEN_URL", "DATABASE_ADMIN_URL", "TENANCY_KEY"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Gateway {
    /// On a free port, with the demo, and no limit of the rate that a test would feel.
    pub(crate) fn start() -> Self {
        Self::with(&["--rate", "0"])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        Self::of(command)
    }

    /// With so many file descriptors.
    pub(crate) fn with_descriptors(most: u32) -> Self {
        let mut command = prepared(Command::new("sh"));
        let script = format!("ulimit -n {most} && exec \"$0\" --listen 127.0.0.1:0");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_gateway")]);
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = Output::of(child.stdout.take().expect("piped"));
        let stderr = Output::of(child.stderr.take().expect("piped"));
        // The last line: all of them are there.
        let text = wait_for(|| Some(stdout.text()).filter(|text| text.contains("Ctrl-C ends it")));
        let Some(text) = text else {
            let _ = child.kill();
            panic!("it does not listen: {}", stderr.text());
        };
        let address =
            text.split_once("http://").and_then(|(_, rest)| rest.split_once(';')).expect("an address");
        let mut address: SocketAddr = address.0.parse().expect("an address");
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Self { child, address, stdout, stderr }
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// How it ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        wait_for(|| self.child.try_wait().expect("a child")).expect("it ends")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The code, stdout and stderr of a program that ends by itself.
pub(crate) fn run(mut command: Command) -> (Option<i32>, String, String) {
    let mut child = command.spawn().expect("it runs");
    let [stdout, stderr] = [child.stdout.take().map(text), child.stderr.take().map(text)];
    let status = wait_for(|| child.try_wait().expect("a child"));
    let _ = child.kill();
    let text = |output: Option<JoinHandle<String>>| output.expect("piped").join().expect("UTF-8");
    (status.expect("it ends").code(), text(stdout), text(stderr))
}

fn text(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text).expect("UTF-8")
    })
}

/// Ends what goes on until it is set: also where the test fails before, which would wait for it otherwise.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks again until there is an answer, or patience ends.
pub(crate) fn wait_for<T>(mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(answer) = answer() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}
