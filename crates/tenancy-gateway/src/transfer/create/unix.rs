//! On Unix a file has a mode.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A new file, for who runs this alone. What is there already is not written over, whatever it is: it may be a tenant's.
pub(super) fn new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
