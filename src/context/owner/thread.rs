//! Hosts: the thread.

use super::{Now, Owner, thread_number};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller(usize);

impl Owner for Caller {
    const FIRST: Self = Self(0);

    /// Threads share no stack: another's entry may have ended in the meantime.
    #[inline]
    fn nests(current: Self, replaced: Self, me: Self) -> bool {
        current == me && replaced == me
    }
}

impl Now for Caller {
    #[inline]
    fn now() -> Self {
        Self(thread_number::current())
    }
}
