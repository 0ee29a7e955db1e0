//! Runs `tenancy-pg`, and kills it if it hangs.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{self, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use tenancy_testkit::process::ChildGroup;

use crate::support::LIMIT;
use crate::support::database::Database;

/// The command with its environment.
#[derive(Clone)]
pub(crate) struct Command {
    environment: Vec<(String, String)>,
}

/// The result of a command that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Command {
    /// Connects to the database as the superuser.
    pub(crate) fn of(database: &Database) -> Self {
        let url = format!("host={} user=postgres dbname={}", database.folder().display(), database.name);
        Self::without_database().with("DATABASE_URL", &url)
    }

    pub(crate) fn without_database() -> Self {
        Self { environment: Vec::new() }
    }

    /// Returns the same command with one more environment variable.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut command = self.clone();
        command.environment.push((name.to_owned(), value.to_owned()));
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> ChildGroup {
        self.try_start(arguments).expect("it starts")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.start(arguments))
    }

    /// Returns `None` if the operating system rejects the arguments.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Option<Done> {
        self.try_start(arguments).ok().map(Done::of)
    }

    fn try_start(&self, arguments: &[&str]) -> io::Result<ChildGroup> {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_tenancy-pg"));
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        // Tells the program where to write the coverage, if it is measured.
        command.envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
        ChildGroup::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }
}

impl Done {
    /// Waits until the command ends.
    pub(crate) fn of(mut child: ChildGroup) -> Self {
        let [out, err] = [child.take_stdout().map(read), child.take_stderr().map(read)];
        let status = child.wait_timeout(LIMIT).expect("a state").expect("it ends within 60 s");
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader.map_or_else(String::new, |reader| reader.join().expect("a text"))
        };
        Self { code: status.code(), out: text(out), err: text(err) }
    }

    /// Returns the output of a command that succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Returns the JSON document that is the output of a command that succeeded.
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

/// Returns the first line that a running command prints.
pub(crate) fn first_line(from: impl Read + Send + 'static) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(from).read_line(&mut line);
        let _ = sender.send(line);
    });
    receiver.recv_timeout(LIMIT).expect("a line within 60 s")
}
