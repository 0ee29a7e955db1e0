//! The arguments of a command.

use redis::{Arg, Cmd};

/// The arguments of a command. The first one is its name.
pub(crate) trait Arguments<'a>: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone {}

impl<'a, I: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone> Arguments<'a> for I {}

/// Returns the arguments of a command that has no cursor.
#[inline]
pub(crate) fn simple(cmd: &Cmd) -> impl Arguments<'_> {
    cmd.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => b"",
    })
}
