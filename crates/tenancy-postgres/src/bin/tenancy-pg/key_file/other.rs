//! Files as the folder has them.

use std::fs::OpenOptions;

pub(super) fn private() -> OpenOptions {
    OpenOptions::new()
}
