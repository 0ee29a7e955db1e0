//! Nothing here allocates: not for hostile input either, and not the context.
//!
//! A file of its own, because the allocator is the whole process's.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use common::{alone, pause, tenant};
use tenancy::{TenantCell, TenantContext, TenantFutureExt, TenantId};

std::thread_local! {
    // Of the thread, so that the test harness's own do not count.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: `System` does it all; the counter is a constant-initialised thread-local without a destructor.
#[allow(unsafe_code, reason = "a global allocator is")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, by `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn parsing_good_and_hostile_input() {
    let huge = vec![b'a'; 1 << 20];
    let inputs: [&[u8]; 8] = [
        b"550e8400-e29b-41d4-a716-446655440000",
        b"550e8400e29b41d4a716446655440000",
        b"{550e8400-e29b-41d4-a716-446655440000}",
        b"urn:uuid:550e8400-e29b-41d4-a716-446655440000",
        b"550e8400-e29b-41d4-a716-44665544000g",
        b"\xff\xfe\0{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
        b"",
        &huge,
    ];
    let mut valid = 0;
    let mut text = heapless::String::<128>::new();
    let count = allocations(|| {
        for input in inputs {
            match TenantId::parse_ascii(black_box(input)) {
                Ok(_) => valid += 1,
                Err(error) => {
                    text.clear();
                    write!(text, "{error}").expect("an error's text is short");
                }
            }
        }
    });
    assert_eq!((count, valid), (0, 4));
}

#[test]
fn writing_an_id() {
    let id = tenant(1);
    let mut text = heapless::String::<64>::new();
    let count = allocations(|| {
        black_box(id.encode(&mut [0; 36]));
        black_box(id.to_text());
        write!(text, "{id}").expect("36 bytes");
        text.clear();
        write!(text, "{id:?}").expect("48 bytes");
        text.clear();
        write!(text, "{}", id.simple()).expect("32 bytes");
    });
    assert_eq!(count, 0);
}

fn use_context() {
    TenantContext::set(tenant(1));
    assert!(TenantContext::get().is_ok() && TenantContext::get_value().is_some());
    TenantContext::scope(tenant(2), || TenantContext::set(tenant(3)));
    TenantContext::interrupt(|| assert!(!TenantContext::is_set()));
    drop(TenantContext::enter(tenant(4)));
    TenantContext::bind(|| assert!(TenantContext::is_set()))();
    TenantContext::clear();
    assert!(TenantContext::get().is_err());
}

/// The first event of a `tracing` call site registers it, once in a process; the rest allocates nothing.
fn register_events() {
    if cfg!(feature = "tracing") {
        use_context();
    }
}

#[test]
fn the_context() {
    let _alone = alone();
    register_events();
    assert_eq!(allocations(use_context), 0);
}

#[test]
fn a_cell() {
    let _alone = alone();
    register_events();
    let cell = TenantCell::new();
    let count = allocations(|| {
        cell.set(tenant(1));
        assert!(cell.get().is_ok() && cell.get_value().is_some());
        cell.scope(tenant(2), || cell.set(tenant(3)));
        cell.interrupt(|| assert!(!cell.is_set()));
        drop(cell.enter(tenant(4)));
        cell.bind(|| assert!(cell.is_set()))();
        cell.clear();
    });
    assert_eq!(count, 0);
}

#[test]
fn polling_a_future_in_a_tenant() {
    let _alone = alone();
    let mut context = Context::from_waker(Waker::noop());
    let count = allocations(|| {
        let mut future = pin!(async { pause().await }.in_tenant(tenant(1)).in_own_context());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(future.as_mut().poll(&mut context).is_ready());
    });
    assert_eq!(count, 0);
}

/// A thread's first bare `set` in a task registers the thread; no other allocates.
#[cfg(feature = "tokio")]
#[test]
fn the_context_of_a_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let counts = runtime.block_on(async {
        let count = || async { allocations(use_context) };
        let first = tokio::spawn(count()).await.expect("the task's own assertions");
        (first, tokio::spawn(count()).await.expect("the task's own assertions"))
    });
    assert!(counts.0 <= 3, "{counts:?}");
    assert_eq!(counts.1, 0);
}
