//! What the start of every server has in common.

use std::time::Duration;

use tempfile::TempDir;

use crate::Error;
use crate::process::{ChildGroup, wait_for};

/// Creates a folder that is removed when the value is dropped.
pub(crate) fn temporary_folder(prefix: &str) -> Result<TempDir, Error> {
    tempfile::Builder::new().prefix(prefix).tempdir().map_err(Error::io("create a temporary folder"))
}

/// Waits until a new server is ready; returns `false` if it ended instead.
pub(crate) fn is_ready(
    server: &mut ChildGroup,
    program: &str,
    limit: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<bool, Error> {
    wait_for(limit, || {
        if ready() {
            return Some(true);
        }
        matches!(server.try_wait(), Ok(Some(_))).then_some(false)
    })
    .ok_or_else(|| Error::timed_out(format!("start {program}"), limit))
}
