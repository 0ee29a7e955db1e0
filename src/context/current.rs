//! The place of the running thread, task, core or interrupt.

#[cfg(all(not(feature = "std"), not(all(feature = "custom-cell", target_os = "none"))))]
#[path = "current/cell.rs"]
mod place;
#[cfg(all(not(feature = "std"), feature = "custom-cell", target_os = "none"))]
#[path = "current/custom.rs"]
mod place;
#[cfg(all(feature = "std", not(feature = "tokio")))]
#[path = "current/thread.rs"]
mod place;
#[cfg(feature = "tokio")]
#[path = "current/task.rs"]
mod place;

// The documentation is built on a host, and shows the macro `set_cell!` too.
#[cfg(all(docsrs, feature = "std"))]
#[path = "current/custom.rs"]
mod custom;

pub(super) use place::current;

/// What [`current`] gives.
#[cfg(not(feature = "std"))]
pub(super) type Current = &'static crate::TenantCell;
#[cfg(feature = "std")]
pub(super) type Current = place::Slot;
