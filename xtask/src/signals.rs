//! What happens on Ctrl-C and on a termination signal.
//!
//! By default the signal ends this program, and with it all its children: each is a
//! [`ChildGroup`](tenancy_testkit::process::ChildGroup), whose watcher kills it when its owner is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ignores signals from now on: a child in the terminal's process group receives them and decides.
pub(crate) fn leave_to_children() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("cannot handle Ctrl-C")
}

/// Returns whether a signal came since [`leave_to_children`].
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
