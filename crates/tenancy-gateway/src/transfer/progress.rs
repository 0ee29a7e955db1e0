//! The progress of an export or import, on standard error.

use std::io::{self, IsTerminal, Write};

/// The number of records between updates of the line on a terminal.
const OFTEN: usize = 100;
/// The number of records between lines elsewhere.
const SELDOM: usize = 1000;

/// The number of records so far.
pub(super) struct Progress {
    what: &'static str,
    total: Option<usize>,
    done: usize,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: Option<usize>) -> Self {
        Self { what, total, done: 0, is_terminal: io::stderr().is_terminal() }
    }

    /// Counts one more record.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if let Some(text) = self.line() {
            say(&text);
        }
    }

    fn line(&self) -> Option<String> {
        let every = if self.is_terminal { OFTEN } else { SELDOM };
        let Self { what, done, .. } = self;
        let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let is_due = done.is_multiple_of(every);
        is_due.then(|| {
            if self.is_terminal {
                format!("\r{what} {done}{total}")
            } else {
                format!("{what} {done}{total}\n")
            }
        })
    }

    /// Prints the result in place of the progress.
    pub(super) fn end(self, sum: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        say(&format!("{clear}{sum}\n"));
    }
}

/// Prints a text. A closed standard error is not an error.
fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(is_terminal: bool) -> Vec<String> {
        let mut progress = Progress { what: "imported", total: Some(2500), done: 0, is_terminal };
        let lines = (1..=2500).filter_map(|done| {
            progress.done = done;
            progress.line()
        });
        lines.collect()
    }

    #[test]
    fn a_terminal_has_one_line_and_a_file_a_few() {
        assert_eq!(lines(false), ["imported 1000 of 2500\n", "imported 2000 of 2500\n"]);
        let told = lines(true);
        assert_eq!((told.len(), &*told[24]), (25, "\rimported 2500 of 2500"));
    }
}
