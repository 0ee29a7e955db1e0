//! Errors of commands, and their exit codes.

use std::error::Error as _;
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::process::ExitCode;

use serde_json::json;
use tenancy_postgres::{DirectoryError, Error};

/// The error of a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, or a file that it names, is invalid.
    Usage(String),
    /// The server rejected the command, or cannot be reached.
    Server(String),
    /// Stdout cannot be written.
    Output(io::Error),
}

impl Failure {
    /// Prints the error on stderr, and returns the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let (code, message) = match self {
            // The reader has closed the pipe.
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Usage(message) => (2, message),
            Self::Output(error) => (2, format!("cannot write to stdout: {error}")),
            Self::Server(message) => (3, message),
        };
        // A closed stderr is not an error.
        let _ = if json {
            writeln!(io::stderr(), "{}", json!({ "error": message, "exit_code": code }))
        } else {
            writeln!(io::stderr(), "error: {message}")
        };
        ExitCode::from(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let causes = iter::successors(error.source(), |&cause| cause.source());
        let message = causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"));
        Self::Server(match hint(&message) {
            Some(hint) => format!("{message}; {hint}"),
            None => message,
        })
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Database(error) => error.into(),
            error => Self::Server(error.to_string()),
        }
    }
}

/// Returns advice that the server's message does not contain.
fn hint(message: &str) -> Option<&'static str> {
    let is_missing = message.contains("does not exist");
    if is_missing && (message.contains("\"tenancy\"") || message.contains("tenancy.")) {
        return Some("tenancy-pg migrate creates the schema");
    }
    if message.contains("invalid peer certificate") {
        return Some("--ca-file FILE trusts other certificates, and sslmode=disable does not use TLS");
    }
    message.contains("(23502)").then_some("--backfill TENANT sets it")
}
