//! Files that only their owner can read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
