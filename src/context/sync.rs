//! What the context on hosts uses of threads and tasks. The test in `schedules` replaces them by those of
//! `shuttle`, which chooses when threads switch.

#[cfg(not(all(test, shuttle)))]
pub(super) use std::thread_local;

#[cfg(all(feature = "tokio", not(all(test, shuttle))))]
pub(super) use std::sync::Mutex;

#[cfg(all(feature = "tokio", not(all(test, shuttle))))]
pub(super) use tokio::task::try_id;

/// The number of entries in the table of tasks.
#[cfg(all(feature = "tokio", not(all(test, shuttle))))]
pub(super) const TASKS: usize = 4096;

#[cfg(all(test, shuttle))]
pub(super) use self::by_shuttle::{Mutex, TASKS, run_as_task, thread_local, try_id};

#[cfg(all(test, shuttle))]
mod by_shuttle {
    use std::cell::Cell;

    pub(in crate::context) use shuttle::sync::Mutex;
    pub(in crate::context) use shuttle::thread_local;

    /// Few, so that the entries of tasks collide.
    pub(in crate::context) const TASKS: usize = 2;

    thread_local! {
        static TASK: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub(in crate::context) fn try_id() -> Option<u64> {
        TASK.with(Cell::get)
    }

    /// Runs a part of a task on this thread.
    pub(in crate::context) fn run_as_task<R>(task: u64, body: impl FnOnce() -> R) -> R {
        let before = TASK.with(|running| running.replace(Some(task)));
        let result = body();
        TASK.with(|running| running.set(before));
        result
    }
}
