//! Elsewhere who may read a file is the folder's to say.

use std::fs::File;
use std::io;
use std::path::Path;

/// A new file. What is there already is not written over, whatever it is: it may be a tenant's.
pub(super) fn new(path: &Path) -> io::Result<File> {
    File::create_new(path)
}
