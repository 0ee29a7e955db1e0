//! The mark of an entry: its owner, and a serial number.

#[cfg_attr(target_os = "none", path = "mark/word.rs")]
#[cfg_attr(not(target_os = "none"), path = "mark/wide.rs")]
mod layout;

pub(super) use layout::Mark;
