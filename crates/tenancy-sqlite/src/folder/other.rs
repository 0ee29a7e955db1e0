//! Where there are no modes, files have the rights that their folder gives.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

pub(super) fn folder() -> DirBuilder {
    DirBuilder::new()
}

pub(super) fn file() -> OpenOptions {
    OpenOptions::new()
}

/// A folder can't be opened there, and its file system keeps names by itself.
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(super) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
