//! Who a context belongs to.

#[cfg(all(not(feature = "std"), arm_mclass))]
#[path = "owner/exception.rs"]
mod caller;
#[cfg(all(not(feature = "std"), target_os = "linux"))]
#[path = "owner/linux.rs"]
mod caller;
#[cfg(all(not(feature = "std"), not(arm_mclass), not(any(unix, windows))))]
#[path = "owner/sole.rs"]
mod caller;
#[cfg(all(feature = "std", not(feature = "tokio")))]
#[path = "owner/thread.rs"]
mod caller;
#[cfg(feature = "tokio")]
#[path = "owner/task.rs"]
mod caller;
#[cfg(all(feature = "std", not(feature = "tokio")))]
pub(super) mod sole;
#[cfg(feature = "std")]
mod thread_number;

#[cfg(all(not(feature = "std"), any(unix, windows), not(target_os = "linux")))]
compile_error!("an operating system with threads needs the feature `std` of `tenancy`");

pub(super) use caller::Caller;
#[cfg(feature = "tokio")]
pub(super) use caller::Task;

/// The tag of an owner: equal for one owner, different for any two that can meet in one slot.
pub(super) trait Owner: Copy + PartialEq {
    /// The owner of a slot that nobody has used.
    #[cfg(not(target_os = "none"))]
    const FIRST: Self;

    /// The tag as 16 bits of a word; 0 for the owner of a slot that nobody has used.
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

    /// The tag of an entry that a scope made: it ends before its owner can move.
    #[inline]
    #[must_use]
    fn in_scope(self) -> Self {
        self
    }

    /// Whether `me` may bring the entry of `replaced` back when its scope ends on one of `current`,
    /// although not every entry above it was left in order: true where all owners of a slot share a stack.
    fn nests(current: Self, replaced: Self, me: Self) -> bool;
}

/// Somebody who can be asked for now.
pub(super) trait Now: Owner {
    /// The tag of whoever calls.
    fn now() -> Self;
}
