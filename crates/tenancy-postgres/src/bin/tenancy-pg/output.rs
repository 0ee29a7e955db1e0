//! The output of commands on stdout.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Stdout, as text or as JSON.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints lines of text, or one JSON document.
    pub(crate) fn document<T: Display>(
        &mut self,
        lines: impl IntoIterator<Item = T>,
        document: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        if self.json {
            return Self::write(&format!("{}\n", document()));
        }
        let lines: String = lines.into_iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();
        Self::write(&lines)
    }

    /// Prints each item as a line of text or of JSON.
    pub(crate) fn each<T>(
        &mut self,
        things: &[T],
        line: impl Fn(&T) -> String,
        document: impl Fn(&T) -> Value,
    ) -> Result<(), Failure> {
        let show = |thing| if self.json { document(thing).to_string() } else { line(thing) };
        let lines: String = things.iter().flat_map(|thing| [show(thing), "\n".to_owned()]).collect();
        Self::write(&lines)
    }

    /// Prints a note on stderr, except with JSON output.
    pub(crate) fn aside(&self, text: impl Display) {
        if !self.json {
            // A closed stderr is not an error.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Returns whether the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    fn write(text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }
}
