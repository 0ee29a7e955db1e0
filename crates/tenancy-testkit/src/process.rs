//! Child processes that never outlive their test, free ports, and waiting for a state.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process_group};

/// The pause between two looks at a state.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for the end of the owner, which closes the pipe, then ends the group and removes the folder.
///
/// Arguments: the group, the signal to try first, and the folder or an empty text.
const WATCHER: &str = r#"
read -r _
kill -s "$2" -- "-$1" 2>/dev/null
tries=0
while kill -s 0 -- "-$1" 2>/dev/null && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -s KILL -- "-$1" 2>/dev/null
[ -z "$3" ] || rm -rf -- "$3"
"#;

/// A signal for a process group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGINT`, as from Ctrl-C.
    Interrupt,
    /// `SIGTERM`: asks for an orderly end.
    Terminate,
    /// `SIGQUIT`: Postgres shuts down immediately.
    Quit,
    /// `SIGKILL`: ends a process without its cooperation.
    Kill,
    /// `SIGSTOP`: suspends a process, so that it accepts connections but answers nothing.
    Stop,
    /// `SIGCONT`: resumes a suspended process.
    Continue,
}

impl Signal {
    fn number(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::Kill => rustix::process::Signal::KILL,
            Self::Stop => rustix::process::Signal::STOP,
            Self::Continue => rustix::process::Signal::CONT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Terminate => "TERM",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// A child process that leads a process group of its own, and ends with its owner.
///
/// The group is killed when the value is dropped. If the owner is killed instead, so that nothing is dropped, a small
/// shell process notices it and kills the group.
///
/// ```
/// use std::process::Command;
/// use std::time::Duration;
/// use tenancy_testkit::process::ChildGroup;
///
/// let mut child = ChildGroup::spawn(Command::new("sh").args(["-c", "exit 7"]))?;
/// let status = child.wait_timeout(Duration::from_secs(10))?.expect("it ends within 10 s");
/// assert_eq!(status.code(), Some(7));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ChildGroup {
    child: Child,
    watcher: Child,
    last_signal: Signal,
    status: Option<ExitStatus>,
}

impl ChildGroup {
    /// Starts a command in a process group of its own, without standard input.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if the command or `sh` cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Self::spawn_with(command, Signal::Kill, None)
    }

    /// Like [`spawn`](Self::spawn), with the signal that ends the group, and a folder that is removed if the owner is
    /// killed. A group that has not ended 5 s after the signal is killed.
    pub(crate) fn spawn_with(
        command: &mut Command,
        last_signal: Signal,
        folder: Option<&Path>,
    ) -> io::Result<Self> {
        // A background group that reads from the terminal would be stopped.
        let mut child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        match watch(&child, last_signal, folder) {
            Ok(watcher) => Ok(Self { child, watcher, last_signal, status: None }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Returns the id of the child, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the child's standard output, if it is piped and was not taken before.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes the child's standard error, if it is piped and was not taken before.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends a signal to every process of the group.
    ///
    /// # Errors
    ///
    /// If the group has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.status.is_some() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the process group has ended"));
        }
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("invalid process id"))?;
        Ok(kill_process_group(id, signal.number())?)
    }

    /// Returns the exit status if the child has ended.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
            if self.status.is_some() {
                self.end_watcher();
            }
        }
        Ok(self.status)
    }

    /// Waits until the child ends, at most `limit`; returns `None` if it is still running then.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn wait_timeout(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            let status = self.try_wait()?;
            if status.is_some() || Instant::now() >= end {
                return Ok(status);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Kills the group and waits for the child's end. Does nothing if the child has ended.
    pub fn kill(&mut self) {
        if self.status.is_some() {
            return;
        }
        // Both fail only if the group has just ended by itself.
        let _ = self.signal(Signal::Kill);
        self.status = self.child.wait().ok();
        self.end_watcher();
    }

    /// Ends the group by its signal, and kills it if it does not end.
    pub(crate) fn end(&mut self) {
        if self.last_signal != Signal::Kill && self.signal(self.last_signal).is_ok() {
            let _ = self.wait_timeout(Duration::from_secs(5));
        }
        self.kill();
    }

    /// Lets the process group outlive this value.
    #[cfg(feature = "postgres")]
    pub(crate) fn detach(mut self) {
        self.end_watcher();
        // A group with a status is not killed on drop.
        self.status = Some(ExitStatus::default());
    }

    fn end_watcher(&mut self) {
        // It holds nothing, and fails only if somebody else ended it.
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        self.end();
    }
}

fn watch(child: &Child, last_signal: Signal, folder: Option<&Path>) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", WATCHER, "watcher", &child.id().to_string(), last_signal.name()])
        .arg(folder.unwrap_or_else(|| Path::new("")))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Returns a TCP port of 127.0.0.1 that nothing listens on.
///
/// Another process can take the port before the caller binds it. Prefer port 0 where the server supports it.
///
/// # Errors
///
/// If no port is free.
pub fn unused_port() -> io::Result<u16> {
    unused_ports().map(|[port]| port)
}

/// Returns different ports.
pub(crate) fn unused_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut ports = [0; N];
    // All are bound until the last one is known, so that no two are the same.
    let mut listeners = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Waits until `condition` holds, at most `limit`, and returns whether it does.
///
/// ```
/// use std::time::Duration;
/// use tenancy_testkit::process::wait_until;
///
/// let file = std::env::temp_dir();
/// assert!(wait_until(Duration::from_secs(10), || file.exists()), "the file does not exist");
/// ```
#[must_use]
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    wait_for(limit, || condition().then_some(())).is_some()
}

/// Waits until `attempt` returns a value, at most `limit`.
#[must_use]
pub fn wait_for<T>(limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let value = attempt();
        if value.is_some() || Instant::now() >= end {
            return value;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> ChildGroup {
        ChildGroup::spawn(Command::new("sh").args(["-c", script]).stdout(Stdio::piped())).unwrap()
    }

    fn group_exists(id: i32) -> bool {
        rustix::process::test_kill_process_group(Pid::from_raw(id).unwrap()).is_ok()
    }

    #[test]
    fn returns_the_exit_code() {
        assert_eq!(shell("exit 7").wait_timeout(LIMIT).unwrap().unwrap().code(), Some(7));
    }

    #[test]
    fn a_signal_is_not_an_exit_code() {
        assert_eq!(shell("kill -KILL $$").wait_timeout(LIMIT).unwrap().unwrap().code(), None);
    }

    #[test]
    fn drop_ends_grandchildren_too() {
        let mut child = shell("sleep 60 & sleep 60");
        let mut output = child.take_stdout().unwrap();
        assert!(child.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
        drop(child);
        let started = Instant::now();
        // Both processes hold the pipe, so it ends when both are gone.
        output.read_to_end(&mut Vec::new()).unwrap();
        assert!(started.elapsed() < LIMIT);
    }

    #[test]
    fn a_stopped_group_continues() {
        let mut child = shell("sleep 0.05; exit 3");
        child.signal(Signal::Stop).unwrap();
        assert!(child.wait_timeout(Duration::from_millis(200)).unwrap().is_none());
        child.signal(Signal::Continue).unwrap();
        assert_eq!(child.wait_timeout(LIMIT).unwrap().unwrap().code(), Some(3));
    }

    #[test]
    fn signal_fails_after_the_end() {
        let mut child = shell("exit 0");
        child.wait_timeout(LIMIT).unwrap().unwrap();
        assert!(child.signal(Signal::Terminate).is_err());
    }

    /// Runs this test again in a process of its own, which is then killed while it owns a child.
    #[test]
    fn a_killed_owner_leaves_no_process_and_no_folder() {
        const OWNER: &str = "TENANCY_TESTKIT_OWNER";
        if let Some(folder) = std::env::var_os(OWNER) {
            let mut command = Command::new("sleep");
            let child =
                ChildGroup::spawn_with(command.arg("60"), Signal::Terminate, Some(Path::new(&folder)));
            println!("owned {}", child.as_ref().unwrap().id());
            thread::sleep(LIMIT);
            return;
        }
        let folder = tempfile::tempdir().unwrap().keep();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["process::tests::a_killed_owner", "--nocapture"])
            .env(OWNER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
        let id = lines.find_map(|line| Some(line.split_once("owned ")?.1.to_owned())).unwrap();
        let id = id.parse().unwrap();
        assert!(group_exists(id));
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(wait_until(LIMIT, || !folder.exists()), "the folder is still there");
        assert!(!group_exists(id), "the child is still running");
    }

    #[test]
    fn ports_are_free() {
        let port = unused_port().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }

    #[test]
    fn waiting_ends_at_the_limit() {
        assert!(!wait_until(Duration::from_millis(10), || false));
        let mut calls = 0;
        let third = wait_for(LIMIT, || {
            calls += 1;
            (calls == 3).then_some(calls)
        });
        assert_eq!(third, Some(3));
    }
}
