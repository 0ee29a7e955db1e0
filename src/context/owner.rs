//! The owner of an entry in a [`TenantCell`](crate::TenantCell).

#[cfg(all(target_os = "none", arm_mclass))]
pub(super) use self::exception::Caller;
#[cfg(all(target_os = "none", not(arm_mclass)))]
pub(super) use self::sole::Caller;
#[cfg(feature = "tokio")]
pub(super) use self::task::Caller;
#[cfg(all(not(target_os = "none"), not(feature = "tokio")))]
pub(super) use self::thread::Caller;

/// The tag of an owner: equal for one owner, different for any two that can use one cell.
pub(super) trait Owner: Copy + PartialEq {
    /// Returns the tag of the caller.
    fn now() -> Self;

    /// The owner of a cell that nobody has used.
    #[cfg(not(target_os = "none"))]
    const FIRST: Self;

    /// The tag as 16 bits of a word; 0 for the owner of a cell that nobody has used.
    #[cfg(target_os = "none")]
    fn tag(self) -> u32;

    /// The tag from the 16 bits.
    #[cfg(target_os = "none")]
    fn from_tag(tag: u32) -> Self;

    /// Whether this is an interrupt handler, whose next activation has the same tag as this one.
    #[inline]
    fn is_handler(self) -> bool {
        false
    }

    /// Whether `me` may restore the entry of `replaced` when its scope ends on an entry of `current`, although not every
    /// entry above it was left in order. That is true if all owners of a cell share a stack.
    fn may_restore(current: Self, replaced: Self, me: Self) -> bool;
}

/// Arm M-profile: the number of the running exception; 0 is the program itself.
#[cfg(all(target_os = "none", arm_mclass))]
mod exception {
    use super::Owner;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::context) struct Caller(u32);

    impl Owner for Caller {
        #[inline]
        fn now() -> Self {
            let number: u32;
            // SAFETY: reads a register that every M-profile core has and privilege does not guard: IPSR reads
            // as the exception number, of 9 bits. Touches neither memory nor flags.
            #[allow(unsafe_code)]
            unsafe {
                core::arch::asm!("mrs {}, ipsr", out(reg) number, options(nomem, nostack, preserves_flags));
            }
            Self(number)
        }

        #[inline]
        fn tag(self) -> u32 {
            self.0
        }

        #[inline]
        fn from_tag(tag: u32) -> Self {
            Self(tag)
        }

        #[inline]
        fn is_handler(self) -> bool {
            self.0 != 0
        }

        /// Exceptions preempt each other last-in first-out: they share a stack.
        #[inline]
        fn may_restore(_current: Self, _replaced: Self, _me: Self) -> bool {
            true
        }
    }
}

/// Other bare metal: nothing tells callers apart.
#[cfg(all(target_os = "none", not(arm_mclass)))]
mod sole {
    use super::Owner;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::context) struct Caller;

    impl Owner for Caller {
        #[inline]
        fn now() -> Self {
            Self
        }

        #[inline]
        fn tag(self) -> u32 {
            0
        }

        #[inline]
        fn from_tag(_tag: u32) -> Self {
            Self
        }

        #[inline]
        fn may_restore(_current: Self, _replaced: Self, _me: Self) -> bool {
            true
        }
    }
}

/// Hosts: the thread.
#[cfg(all(not(target_os = "none"), not(feature = "tokio")))]
mod thread {
    use super::{Owner, thread_number};

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::context) struct Caller(usize);

    impl Owner for Caller {
        const FIRST: Self = Self(0);

        #[inline]
        fn now() -> Self {
            Self(thread_number::current())
        }

        /// Threads share no stack: the other's entry may have ended in the meantime.
        #[inline]
        fn may_restore(current: Self, replaced: Self, me: Self) -> bool {
            current == me && replaced == me
        }
    }
}

/// Hosts with tokio: the task, and outside of tasks the thread. A task is the same owner on every thread.
#[cfg(feature = "tokio")]
mod task {
    use tokio::task::Id;

    use super::{Owner, thread_number};

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(in crate::context) enum Caller {
        Thread(usize),
        Task(Id),
    }

    impl Owner for Caller {
        const FIRST: Self = Self::Thread(0);

        #[inline]
        fn now() -> Self {
            match tokio::task::try_id() {
                Some(id) => Self::Task(id),
                None => Self::Thread(thread_number::current()),
            }
        }

        /// Threads share no stack: the other's entry may have ended in the meantime.
        #[inline]
        fn may_restore(current: Self, replaced: Self, me: Self) -> bool {
            current == me && replaced == me
        }
    }
}

/// A number for each thread, which is never used again.
#[cfg(not(target_os = "none"))]
pub(super) mod thread_number {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::cell::Cell;

    static LAST: AtomicUsize = AtomicUsize::new(0);

    crate::context::sync::thread_local! {
        // Without a destructor, so that it can be read while the thread ends.
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }

    /// Returns the number of this thread, from 1.
    ///
    /// # Panics
    ///
    /// Panics after `usize::MAX` threads: a number that two threads have would show a tenant to the wrong one.
    pub(in crate::context) fn current() -> usize {
        match NUMBER.with(Cell::get) {
            0 => {
                let number = LAST
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| last.checked_add(1))
                    .expect("fewer than usize::MAX threads")
                    + 1;
                NUMBER.with(|own| own.set(number));
                number
            }
            number => number,
        }
    }
}
