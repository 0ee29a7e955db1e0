//! Why a command is not done, and how it ends then.

use std::error::Error as _;
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::process::ExitCode;

use serde_json::json;
use tenancy_postgres::{DirectoryError, Error};

/// Why a command is not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, or a file that it names, is wrong.
    Usage(String),
    /// The server refused, or can't be reached.
    Server(String),
    /// Stdout can't be written.
    Output(io::Error),
}

impl Failure {
    /// Tells it on stderr, and how the program ends.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let (code, message) = match self {
            // Who reads it has enough.
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Usage(message) => (2, message),
            Self::Output(error) => (2, format!("can't write: {error}")),
            Self::Server(message) => (3, message),
        };
        // If there is anybody to read it.
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

/// What helps, where that is not in the server's words.
fn hint(message: &str) -> Option<&'static str> {
    let is_missing = message.contains("does not exist");
    if is_missing && (message.contains("\"tenancy\"") || message.contains("tenancy.")) {
        return Some("the schema is made by: tenancy-pg migrate");
    }
    if message.contains("invalid peer certificate") {
        return Some("--ca-file FILE names who signed the certificate, and sslmode=disable is without TLS");
    }
    message.contains("(23502)").then_some("--backfill TENANT gives them one")
}
