//! A number for each thread, never used again.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::cell::Cell;

static LAST: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    // Without a destructor, so that it can be read while the thread ends.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of this thread, from 1.
///
/// # Panics
///
/// When `usize::MAX` threads have had one: a number given twice would be a tenant seen twice.
pub(super) fn current() -> usize {
    match NUMBER.get() {
        0 => {
            let number = LAST
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| last.checked_add(1))
                .expect("fewer than usize::MAX threads")
                + 1;
            NUMBER.set(number);
            number
        }
        number => number,
    }
}
