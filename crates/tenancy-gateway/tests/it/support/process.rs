//! The program as a process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tenancy_gateway::greeting;
use tenancy_testkit::process::{self, ChildGroup, Signal};

use super::PATIENCE;

/// A gateway that ends with the test.
pub(crate) struct Gateway {
    child: ChildGroup,
    pub(crate) address: SocketAddr,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// The text that a process has written so far.
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

    /// Waits until the text contains a part, and returns the text.
    pub(crate) fn with(&self, part: &str) -> String {
        let found = wait_for(|| Some(self.text()).filter(|text| text.contains(part)));
        found.unwrap_or_else(|| panic!("no {part:?} in {:?}", self.text()))
    }
}

/// Returns the program's command.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = prepared(Command::new(env!("CARGO_BIN_EXE_gateway")));
    command.args(arguments);
    command
}

/// Removes the variables of the environment that configure a gateway from a command.
pub(crate) fn prepared(mut command: Command) -> Command {
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
    // A busy machine must not look like an outage.
    command.env("GATEWAY_REDIS_TIMEOUT", "20000");
    // Tests that use files remove the variable.
    command.env("GATEWAY_MEMORY", "1").env_remove("GATEWAY_DATA");
    for name in ["REDIS_URL", "DATABASE_URL", "DATABASE_LISTEN_URL", "DATABASE_ADMIN_URL", "TENANCY_KEY"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Gateway {
    /// Starts the demo on a free port, without a rate limit.
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

    /// Starts a gateway that can open only so many files.
    pub(crate) fn with_descriptors(most: u32) -> Self {
        let mut command = prepared(Command::new("sh"));
        let script = format!("ulimit -n {most} && exec \"$0\" --listen 127.0.0.1:0");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_gateway")]);
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = ChildGroup::spawn(&mut command).expect("the program starts");
        let stdout = Output::of(child.take_stdout().expect("piped"));
        let stderr = Output::of(child.take_stderr().expect("piped"));
        let greeted = || Some(stdout.text()).filter(|text| text.contains(greeting::LAST_LINE));
        let text = wait_for(greeted).unwrap_or_else(|| panic!("it does not listen: {}", stderr.text()));
        let address = text.lines().next().and_then(|line| line.strip_prefix("Listening on http://"));
        let mut address: SocketAddr = address.expect("an address").parse().expect("an address");
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Self { child, address, stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.child.signal(signal).expect("it runs");
    }

    /// Waits for the end and returns the exit status.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait_timeout(PATIENCE).expect("a child").expect("it ends")
    }
}

/// Runs a program that ends by itself; returns its exit code, standard output and standard error.
pub(crate) fn run(mut command: Command) -> (Option<i32>, String, String) {
    // Not a `ChildGroup`, which has no standard input: some tests send a file.
    let mut child = command.spawn().expect("it runs");
    let stdout = text(child.stdout.take().expect("piped"));
    let stderr = text(child.stderr.take().expect("piped"));
    let status = wait_for(|| child.try_wait().expect("a child"));
    let _ = child.kill();
    let [stdout, stderr] = [stdout, stderr].map(|text| text.join().expect("UTF-8"));
    (status.expect("it ends").code(), stdout, stderr)
}

fn text(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text).expect("UTF-8")
    })
}

/// Sets a flag when it is dropped, so that threads which run until then also end if the test fails.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Waits until `attempt` returns a value; returns `None` after [`PATIENCE`].
pub(crate) fn wait_for<T>(attempt: impl FnMut() -> Option<T>) -> Option<T> {
    process::wait_for(PATIENCE, attempt)
}

/// Waits until a condition holds; returns `false` after [`PATIENCE`].
#[must_use]
pub(crate) fn wait_until(condition: impl FnMut() -> bool) -> bool {
    process::wait_until(PATIENCE, condition)
}
