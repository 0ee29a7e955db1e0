//! Nothing here allocates: not for hostile input either, and not the context.
//!
//! A file of its own, because the allocator is the whole process's.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use common::{alone, pause, tenant};
use counting::allocations;
use tenancy::{
    FixedDirectory, Quota, TenantCell, TenantClaims, TenantContext, TenantFutureExt, TenantId, TenantLimiter,
    TenantMap, TenantRecord, TenantSlug, TenantStatus,
};

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

#[test]
fn a_directory_to_its_last_place_and_over() {
    let mut directory = FixedDirectory::<8>::new();
    let count = allocations(|| {
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
    assert_eq!(count, 0);
}

#[test]
fn a_map_to_its_last_place_and_over() {
    let mut map = TenantMap::<u64, 4>::with_limit(3);
    let count = allocations(|| {
        let taken = (0..8).filter(|value| map.insert(tenant(value / 4), *value).is_ok()).count();
        assert_eq!(taken, 4);
        map.iter_mut(tenant(0)).for_each(|value| *value += 1);
        assert_eq!(map.iter(tenant(0)).sum::<u64>(), 6);
        assert_eq!((map.remove(tenant(0), |value| *value == 2), map.clear(tenant(0))), (Some(2), 2));
    });
    assert_eq!(count, 0);
}

#[test]
fn a_limiter_that_allows_refuses_and_evicts() {
    let mut limiter = TenantLimiter::<2>::new(Quota::per_second(NonZeroU32::MIN));
    let mut text = heapless::String::<128>::new();
    let count = allocations(|| {
        let taken =
            (0..12).filter(|step| limiter.take(tenant(step % 3), Duration::from_secs(step / 6)).is_ok());
        assert_eq!(taken.count(), 4);
        let error = limiter.take(tenant(1), Duration::ZERO).expect_err("the clock went back");
        write!(text, "{error}").expect("an error's text is short");
    });
    assert_eq!(count, 0);
}

#[test]
fn claims_good_and_bad() {
    let huge = vec![b'a'; 1 << 20];
    let good = b"550e8400-e29b-41d4-a716-446655440000";
    let mut text = heapless::String::<128>::new();
    let count = allocations(|| {
        let mut claims = TenantClaims::new();
        claims.header([black_box(&good[..])]).expect("one id");
        for bad in [&[&good[..], good][..], &[&huge], &[b""], &[b"550e8400-e29b-41d4-a716-44665544000g"]] {
            let error = claims.header(black_box(bad).iter().copied()).expect_err("no one id");
            text.clear();
            write!(text, "{error}").expect("an error's text is short");
        }
        assert!(claims.tenant(tenant(1)).is_err() && claims.resolve().is_ok());
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
