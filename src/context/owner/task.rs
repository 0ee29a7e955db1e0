//! Hosts with tokio: the task, and outside of one the thread.

use core::hash::{Hash, Hasher};

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

/// The owner in a slot of one thread: the number of a task, or 0 outside of tasks; the lowest bit is set in a
/// scope, which ends before the task can move to another thread. One word, for it is compared at each turn.
#[derive(Clone, Copy)]
pub(in crate::context) struct Task(u64);

const IN_SCOPE: u64 = 1;

impl Task {
    /// The number of a task outside of its scopes, or `None` outside of tasks and in a scope.
    #[inline]
    pub(in crate::context) fn bare(self) -> Option<u64> {
        (self.0 & IN_SCOPE == 0 && self.0 != 0).then_some(self.0)
    }

    #[inline]
    pub(in crate::context) fn is_in_scope(self) -> bool {
        self.0 & IN_SCOPE != 0
    }
}

impl PartialEq for Task {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 | IN_SCOPE == other.0 | IN_SCOPE
    }
}

impl Owner for Task {
    const FIRST: Self = Self(0);

    #[inline]
    fn in_scope(self) -> Self {
        Self(self.0 | IN_SCOPE)
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
        Self(tokio::task::try_id().map_or(0, |id| number(id) << 1))
    }
}

/// The number inside a task's id, which tokio shows to a hasher alone; never 0.
#[inline]
fn number(task: Id) -> u64 {
    struct Last(u64);
    impl Hasher for Last {
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
            }
        }
        #[inline]
        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }
        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut last = Last(0);
    task.hash(&mut last);
    last.finish()
}
