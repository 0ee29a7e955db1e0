//! Hosts with tokio: the task, and outside of one the thread.

use tokio::task::Id;

use super::{Now, Owner, thread_number};

/// The owner in a cell that threads share: a task is itself on every thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) enum Caller {
    Thread(usize),
    Task(Id),
}

impl Owner for Caller {
    const FIRST: Self = Self::Thread(0);

    /// Threads share no stack: another's entry may have ended in the meantime.
    #[inline]
    fn nests(current: Self, replaced: Self, me: Self) -> bool {
        current == me && replaced == me
    }
}

impl Now for Caller {
    #[inline]
    fn now() -> Self {
        match tokio::task::try_id() {
            Some(id) => Self::Task(id),
            None => Self::Thread(thread_number::current()),
        }
    }
}

/// The owner in a slot of one thread: a task, or none.
#[derive(Clone, Copy)]
pub(in crate::context) enum Task {
    Bare(Option<Id>),
    /// In a scope, which ends before the task can move to another thread.
    Scoped(Option<Id>),
}

impl PartialEq for Task {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let (Self::Bare(mine) | Self::Scoped(mine), Self::Bare(other) | Self::Scoped(other)) = (self, other);
        mine == other
    }
}

impl Owner for Task {
    const FIRST: Self = Self::Bare(None);

    #[inline]
    fn in_scope(self) -> Self {
        let (Self::Bare(id) | Self::Scoped(id)) = self;
        Self::Scoped(id)
    }

    /// All that runs on a thread shares its stack.
    #[inline]
    fn nests(_current: Self, _replaced: Self, _me: Self) -> bool {
        true
    }
}

impl Now for Task {
    #[inline]
    fn now() -> Self {
        Self::Bare(tokio::task::try_id())
    }
}
