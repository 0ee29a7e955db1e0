//! A program of its own, because the global allocator belongs to the process.
//!
//! Nothing in this crate allocates, not even for hostile input.

use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenancy::{
    FixedDirectory, Quota, TenantCell, TenantClaims, TenantContext, TenantFutureExt, TenantId, TenantLimiter,
    TenantMap, TenantRecord, TenantSlug, TenantStatus,
};
use tenancy_testkit::allocations::{CountingAllocator, count};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn tenant(number: u64) -> TenantId {
    TenantId::from_bytes((0xa5_u128 << 64 | u128::from(number)).to_be_bytes()).expect("neither nil nor max")
}

/// Waits until no other test uses the context: without the feature `std` all threads share one slot.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn counter_counts_an_allocation() {
    assert_eq!(count(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn parsing_allocates_nothing() {
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
    let allocations = count(|| {
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
    assert_eq!((allocations, valid), (0, 4));
}

#[test]
fn formatting_an_id_allocates_nothing() {
    let id = tenant(1);
    let mut text = heapless::String::<64>::new();
    let allocations = count(|| {
        black_box(id.encode(&mut [0; 36]));
        black_box(id.to_text());
        write!(text, "{id}").expect("36 bytes");
        text.clear();
        write!(text, "{id:?}").expect("48 bytes");
        text.clear();
        write!(text, "{}", id.simple()).expect("32 bytes");
    });
    assert_eq!(allocations, 0);
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

/// Lets `tracing` register its call sites, which allocates once for each process.
fn register_events() {
    if cfg!(feature = "tracing") {
        use_context();
    }
}

#[test]
fn context_allocates_nothing() {
    let _alone = alone();
    register_events();
    assert_eq!(count(use_context), 0);
}

#[test]
fn cell_allocates_nothing() {
    let _alone = alone();
    register_events();
    let cell = TenantCell::new();
    let allocations = count(|| {
        cell.set(tenant(1));
        assert!(cell.get().is_ok() && cell.get_value().is_some());
        cell.scope(tenant(2), || cell.set(tenant(3)));
        cell.interrupt(|| assert!(!cell.is_set()));
        drop(cell.enter(tenant(4)));
        cell.bind(|| assert!(cell.is_set()))();
        cell.clear();
    });
    assert_eq!(allocations, 0);
}

#[test]
fn polling_a_future_in_a_tenant_allocates_nothing() {
    let _alone = alone();
    let mut context = Context::from_waker(Waker::noop());
    let allocations = count(|| {
        let mut is_ready = false;
        let pends_once = std::future::poll_fn(move |_| {
            if std::mem::replace(&mut is_ready, true) { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut future = pin!(pends_once.in_tenant(tenant(1)).in_own_context());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(future.as_mut().poll(&mut context).is_ready());
    });
    assert_eq!(allocations, 0);
}

#[test]
fn full_directory_allocates_nothing() {
    let mut directory = FixedDirectory::<8>::new();
    let allocations = count(|| {
        for number in 0..10 {
            let slug = TenantSlug::parse(black_box("acme")).expect("a slug");
            let record = TenantRecord::new(tenant(number), slug, TenantStatus::Active);
            assert_eq!(directory.insert(record).is_ok(), number < 8);
            assert_eq!(directory.verify(record.id()).is_ok(), number < 8);
        }
        assert!(directory.set_status(tenant(1), TenantStatus::Suspended).is_ok());
        assert!(directory.verify(tenant(1)).is_err());
        assert_eq!(directory.iter().filter_map(|record| directory.get(record.id())).count(), 8);
        assert!(directory.remove(tenant(1)).is_some() && directory.remove(tenant(1)).is_none());
    });
    assert_eq!(allocations, 0);
}

#[test]
fn full_map_allocates_nothing() {
    let mut map = TenantMap::<u64, 4>::with_limit(3);
    let allocations = count(|| {
        let taken = (0..8).filter(|value| map.insert(tenant(value / 4), *value).is_ok()).count();
        assert_eq!(taken, 4);
        map.iter_mut(tenant(0)).for_each(|value| *value += 1);
        assert_eq!(map.iter(tenant(0)).sum::<u64>(), 6);
        assert_eq!((map.remove(tenant(0), |value| *value == 2), map.clear(tenant(0))), (Some(2), 2));
    });
    assert_eq!(allocations, 0);
}

#[test]
fn limiter_allocates_nothing() {
    let mut limiter = TenantLimiter::<2>::new(Quota::per_second(NonZeroU32::MIN));
    let mut text = heapless::String::<128>::new();
    let allocations = count(|| {
        let taken =
            (0..12).filter(|step| limiter.take(tenant(step % 3), Duration::from_secs(step / 6)).is_ok());
        assert_eq!(taken.count(), 4);
        let error = limiter.take(tenant(1), Duration::ZERO).expect_err("the clock went back");
        write!(text, "{error}").expect("an error's text is short");
    });
    assert_eq!(allocations, 0);
}

#[test]
fn claims_allocate_nothing() {
    let huge = vec![b'a'; 1 << 20];
    let good = b"550e8400-e29b-41d4-a716-446655440000";
    let mut text = heapless::String::<128>::new();
    let allocations = count(|| {
        let mut claims = TenantClaims::new();
        claims.header([black_box(&good[..])]).expect("one id");
        for bad in [&[&good[..], good][..], &[&huge], &[b""], &[b"550e8400-e29b-41d4-a716-44665544000g"]] {
            let error = claims.header(black_box(bad).iter().copied()).expect_err("no one id");
            text.clear();
            write!(text, "{error}").expect("an error's text is short");
        }
        assert!(claims.tenant(tenant(1)).is_err() && claims.resolve().is_ok());
    });
    assert_eq!(allocations, 0);
}

/// The first `set` without a wrapper in a task registers the thread, which allocates.
#[cfg(feature = "tokio")]
#[test]
fn context_of_a_task_allocates_only_once_for_each_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let counts = runtime.block_on(async {
        let counted = || async { count(use_context) };
        let first = tokio::spawn(counted()).await.expect("the task's own assertions");
        (first, tokio::spawn(counted()).await.expect("the task's own assertions"))
    });
    assert!(counts.0 <= 3, "{counts:?}");
    assert_eq!(counts.1, 0);
}
