//! A file with a secret.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::io::{self, Write};
use std::path::Path;

#[cfg(not(unix))]
use self::other as os;
#[cfg(unix)]
use self::unix as os;

/// Creates a new file. If the operating system supports it, only its owner can read it.
pub(crate) fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = os::private().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
