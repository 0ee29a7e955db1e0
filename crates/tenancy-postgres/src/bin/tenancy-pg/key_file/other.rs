//! Files with the permissions of their folder.

use std::fs::OpenOptions;

pub(super) fn private() -> OpenOptions {
    OpenOptions::new()
}
