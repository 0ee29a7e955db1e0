//! How far it is, on stderr.

use std::io::{self, IsTerminal, Write};

/// On a terminal a line is written over so often.
const OFTEN: usize = 100;
/// Elsewhere there is a line so often.
const SELDOM: usize = 1000;

/// Tells how many there were so far.
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

    /// One more.
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

    /// And what came of it, over what is on the line.
    pub(super) fn end(self, sum: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        say(&format!("{clear}{sum}\n"));
    }
}

/// If there is anybody to read it.
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
