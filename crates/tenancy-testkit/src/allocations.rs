//! Counts allocations, for tests that assert that a call allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

std::thread_local! {
    // Per thread, so that the test harness's own allocations do not count.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// The bytes that the thread allocated, less those that it freed.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system allocator, which counts the allocations of each thread.
///
/// It works only as the program's global allocator, so it needs a test file of its own:
///
/// ```
/// use tenancy_testkit::allocations::{CountingAllocator, count};
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// assert_eq!(count(|| drop(Box::new(7))), 1);
/// assert_eq!(count(|| ()), 0);
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct CountingAllocator;

// SAFETY: every call is forwarded to `System`. The counter is a constant-initialized thread-local without a destructor,
// so that counting neither allocates nor fails.
#[allow(unsafe_code, reason = "the trait of global allocators is unsafe")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        HELD.set(HELD.get().wrapping_add_unsigned(layout.size()));
        // SAFETY: the caller upholds the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub_unsigned(layout.size()));
        // SAFETY: `pointer` was returned by `System` in `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Returns how often the current thread allocates, including reallocations, while it runs `work`.
///
/// Returns 0 for any work if [`CountingAllocator`] is not the global allocator: assert once that an allocation counts.
pub fn count(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Returns how many bytes more the current thread has allocated than freed after it has run `work`.
///
/// Returns 0 for any work if [`CountingAllocator`] is not the global allocator, as [`count`] does.
pub fn held(work: impl FnOnce()) -> isize {
    let before = HELD.get();
    work();
    HELD.get().wrapping_sub(before)
}
