//! Ctrl-C and termination signals.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The exit status that a shell reports for a program that Ctrl-C ended.
pub(crate) const STATUS: i32 = 130;

/// Notes a signal from now on: the running command is ended in an orderly way before this program ends.
///
/// The second signal ends this program at once. Its children are killed then, because each is a
/// [`ChildGroup`](tenancy_testkit::process::ChildGroup).
pub(crate) fn watch() -> Result<()> {
    let note = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            process::exit(STATUS);
        }
    };
    ctrlc::set_handler(note).context("cannot handle Ctrl-C")
}

/// Returns whether a signal came.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
