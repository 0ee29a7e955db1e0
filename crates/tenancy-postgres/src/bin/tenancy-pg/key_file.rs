//! A file that holds a secret.

#[cfg(not(unix))]
#[path = "key_file/other.rs"]
mod os;
#[cfg(unix)]
#[path = "key_file/unix.rs"]
mod os;

use std::io::{self, Write};
use std::path::Path;

/// Makes a file that was not there, which its owner alone can read, where the system knows such files.
pub(crate) fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = os::private().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
