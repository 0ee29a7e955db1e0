//! Runs `tenancy-pg`, and ends it where it hangs.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use serde_json::Value;
use tokio_postgres::config::Host;

use super::common::Server;

/// The command with its environment.
#[derive(Clone)]
pub(crate) struct Command {
    environment: Vec<(String, String)>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Command {
    /// As a superuser of the server.
    pub(crate) fn of(server: &Server) -> Self {
        let config = server.config("postgres", "postgres");
        let [Host::Unix(folder)] = config.get_hosts() else { panic!("a unix socket") };
        let url = format!("host={} user=postgres dbname=postgres", folder.display());
        Self::without_database().with("DATABASE_URL", &url)
    }

    pub(crate) fn without_database() -> Self {
        Self { environment: Vec::new() }
    }

    /// The same with a variable of the environment.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut command = self.clone();
        command.environment.push((name.to_owned(), value.to_owned()));
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.try_start(arguments).expect("it starts")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.start(arguments))
    }

    /// None: the system refuses the arguments.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Option<Done> {
        self.try_start(arguments).ok().map(Done::of)
    }

    fn try_start(&self, arguments: &[&str]) -> std::io::Result<Child> {
        process::Command::new(env!("CARGO_BIN_EXE_tenancy-pg"))
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

impl Done {
    pub(crate) fn of(mut child: Child) -> Self {
        let [out, err] = [child.stdout.take().map(read), child.stderr.take().map(read)];
        let end = Instant::now() + Duration::from_mins(1);
        let status = loop {
            if let Some(status) = child.try_wait().expect("a state") {
                break status;
            }
            if Instant::now() > end {
                let _ = child.kill();
                panic!("it did not end within 60 s");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader.map_or_else(String::new, |reader| reader.join().expect("a text"))
        };
        Self { code: status.code(), out: text(out), err: text(err) }
    }

    /// What it printed, if it did what it was told.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The one document that it printed.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("JSON")
    }
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).expect("a text");
        text
    })
}

/// What a program that still runs printed first.
pub(crate) fn first_line(from: impl Read + Send + 'static) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(from).read_line(&mut line);
        let _ = sender.send(line);
    });
    receiver.recv_timeout(Duration::from_mins(1)).expect("a line within 60 s")
}

/// A folder of a test's own, which goes with it.
pub(crate) struct Scratch(PathBuf);

pub(crate) fn scratch() -> Scratch {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("tenancy-pg-{}-{number}", process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    Scratch(folder)
}

impl Scratch {
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of text").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
