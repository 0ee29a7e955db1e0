//! `TenantMap`, compared with a map of lists; `TenantLimiter`, compared with a token bucket.

use std::collections::HashMap;
use std::mem::size_of;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use tenancy::{Quota, TenantId, TenantLimiter, TenantMap, TenantMapFullKind};

use crate::support::{number, tenant};

type Model = HashMap<TenantId, Vec<Rc<u64>>>;

/// Asserts that each tenant has the model's values in the model's order, and that each value is stored once.
fn compare<const N: usize>(map: &mut TenantMap<Rc<u64>, N>, model: &Model, tenants: u64) {
    let mut all = 0;
    for tenant in (0..tenants).map(tenant) {
        let expected = model.get(&tenant).map_or(&[][..], |values| values);
        assert!(map.iter(tenant).eq(expected));
        assert!(map.iter_mut(tenant).map(|value| &*value).eq(expected));
        assert_eq!(map.get(tenant), expected.first());
        assert_eq!(map.get_mut(tenant).map(|value| &*value), expected.first());
        assert!(expected.iter().all(|value| Rc::strong_count(value) == 2), "dropped, or kept twice");
        all += expected.len();
    }
    assert_eq!((map.len(), map.is_empty()), (all, all == 0));
}

fn insert<const N: usize>(map: &mut TenantMap<Rc<u64>, N>, model: &mut Model, tenant: TenantId, value: u64) {
    let value = Rc::new(value);
    let all: usize = model.values().map(Vec::len).sum();
    let own = model.entry(tenant).or_default();
    let expected = match () {
        () if own.len() >= map.limit() => Some(TenantMapFullKind::Tenant),
        () if all == N => Some(TenantMapFullKind::Map),
        () => None,
    };
    match map.insert(tenant, Rc::clone(&value)) {
        Ok(stored) => {
            assert!(Rc::ptr_eq(stored, &value));
            own.push(value);
            assert_eq!(expected, None);
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), expected);
            assert!(Rc::ptr_eq(&error.into_value(), &value));
            assert_eq!(Rc::strong_count(&value), 1);
        }
    }
}

fn remove<const N: usize>(
    map: &mut TenantMap<Rc<u64>, N>,
    model: &mut Model,
    tenant: TenantId,
    divisor: u64,
) {
    let own = model.entry(tenant).or_default();
    let expected = own.iter().position(|value| value.is_multiple_of(divisor)).map(|at| own.remove(at));
    let removed = map.remove(tenant, |value| value.is_multiple_of(divisor));
    assert_eq!(removed, expected);
    // The map keeps no copy of the value.
    assert!(removed.is_none_or(|value| Rc::strong_count(&value) == 2));
}

fn run_map<const N: usize>(limit: usize, seed: u64) {
    const TENANTS: u64 = 6;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut map = TenantMap::<Rc<u64>, N>::with_limit(limit);
    let mut model = Model::new();
    for value in 0..3_000 {
        let tenant = tenant(rng.u64(..) % TENANTS);
        match rng.usize(..12) {
            0..=5 => insert(&mut map, &mut model, tenant, value),
            6..=9 => remove(&mut map, &mut model, tenant, 1 + rng.u64(..) % 3),
            10 => {
                let own = model.remove(&tenant).unwrap_or_default();
                assert_eq!(map.clear(tenant), own.len());
                assert!(own.iter().all(|value| Rc::strong_count(value) == 1), "dropped once each");
            }
            _ => {
                let own = model.entry(tenant).or_default();
                for (stored, kept) in map.iter_mut(tenant).zip(own) {
                    let changed = Rc::new(**kept + 1);
                    *stored = Rc::clone(&changed);
                    *kept = changed;
                }
            }
        }
        compare(&mut map, &model, TENANTS);
    }
    drop(map);
    assert!(model.values().flatten().all(|value| Rc::strong_count(value) == 1), "dropped with the map");
}

#[test]
fn map_behaves_like_a_map_of_lists() {
    for limit in [0, 1, 2, 3, usize::MAX] {
        run_map::<0>(limit, 1);
        run_map::<1>(limit, 2);
        run_map::<2>(limit, 3);
        run_map::<7>(limit, 4);
        run_map::<8>(limit, 5);
        run_map::<16>(limit, 6);
    }
}

#[test]
fn tenant_at_its_limit_leaves_room_to_others() {
    let mut map = TenantMap::<u64, 8>::with_limit(3);
    let taken = (0..100).filter(|value| map.insert(tenant(1), *value).is_ok()).count();
    assert_eq!((taken, map.len()), (3, 3));
    for other in 2..7 {
        assert!(map.insert(tenant(other), other).is_ok());
    }
    let error = map.insert(tenant(7), 7).expect_err("all eight places are taken");
    assert_eq!(error.kind(), TenantMapFullKind::Map);
    assert_eq!(map.insert(tenant(1), 1).expect_err("its limit").kind(), TenantMapFullKind::Tenant);
}

#[test]
fn debug_shows_no_value() {
    let mut map = TenantMap::<&str, 1>::default();
    assert_eq!((map.limit(), map.capacity()), (1, 1));
    map.insert(tenant(1), "secret").expect("room");
    let errors = [1, 2].map(|number| map.insert(tenant(number), "secret").expect_err("no room"));
    let shown = format!("{map:?} {errors:?} {} {}", errors[0], errors[1]);
    assert!(!shown.contains("secret") && !shown.contains("a5a5"), "{shown}");
    assert_eq!(format!("{map:?}"), "TenantMap { len: 1, capacity: 1, .. }");
    assert!(shown.contains("Tenant") && shown.contains("Map"), "{shown}");
}

const SECOND: u64 = 1_000_000_000;

fn at(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds)
}

fn quota(interval: u64, burst: u32) -> Quota {
    Quota::one_each(at(interval)).burst(NonZeroU32::new(burst).expect("one at least"))
}

/// Empties a bucket and returns the number of its tokens. A limiter without a limit fails instead of looping forever.
fn drain<const N: usize>(limiter: &mut TenantLimiter<N>, tenant: TenantId, now: Duration) -> u64 {
    let taken = (0..2_000).take_while(|_| limiter.take(tenant, now).is_ok()).count();
    assert!(taken < 2_000, "no limit");
    taken as u64
}

/// A plain token bucket. It holds nanoseconds, at most `burst` intervals, and a token costs one interval.
struct Bucket {
    interval: u128,
    most: u128,
    held: u128,
    last: u64,
}

impl Bucket {
    fn new(interval: u64, burst: u32) -> Self {
        let most = u128::from(interval) * u128::from(burst);
        Self { interval: interval.into(), most, held: most, last: 0 }
    }

    /// Takes a token, or returns the nanoseconds until there is one.
    fn take(&mut self, now: u64) -> Result<(), u128> {
        self.held = self.most.min(self.held + u128::from(now - self.last));
        self.last = now;
        match self.held.checked_sub(self.interval) {
            Some(left) => {
                self.held = left;
                Ok(())
            }
            None => Err(self.interval - self.held),
        }
    }
}

/// Returns a step of time: zero, small, about an interval, or more than fills the bucket.
fn step(rng: &mut fastrand::Rng, interval: u64, burst: u32) -> u64 {
    match rng.usize(..100) {
        0..40 => 0,
        40..50 => 1,
        50..65 => rng.u64(..) % interval,
        65..80 => interval - 1 + rng.u64(..) % 3,
        80..99 => rng.u64(..) % (3 * interval),
        _ => rng.u64(..) % (2 * interval * u64::from(burst)),
    }
}

const QUOTAS: [(u64, u32); 7] =
    [(1, 1), (1, 20), (7, 3), (SECOND, 1), (SECOND / 100, 10), (SECOND, 30), (86_400 * SECOND, 5)];

#[test]
fn limiter_behaves_like_a_token_bucket() {
    for (seed, (interval, burst)) in (1..).zip(QUOTAS) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut limiter = TenantLimiter::<5>::new(quota(interval, burst));
        let mut buckets: [_; 5] = std::array::from_fn(|_| Bucket::new(interval, burst));
        let (mut now, mut allowed, mut refused) = (0, 0, 0);
        for _ in 0..20_000 {
            if rng.usize(..3) == 0 {
                now += step(&mut rng, interval, burst);
            }
            let which = rng.usize(..5);
            let result = limiter.take(tenant(which as u64), at(now));
            let waits = result.map_err(|error| error.retry_after().as_nanos());
            assert_eq!(waits, buckets[which].take(now), "seed {seed}, at {now}");
            *(if result.is_ok() { &mut allowed } else { &mut refused }) += 1;
        }
        assert!(
            allowed > 100 && refused > 100,
            "{allowed} allowed, {refused} refused for {interval}, {burst}"
        );
    }
}

/// Holds for every period of time.
#[test]
fn allows_at_most_the_burst_and_the_elapsed_time() {
    for (seed, (interval, burst)) in (11..).zip(QUOTAS) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut limiter = TenantLimiter::<1>::new(quota(interval, burst));
        let (mut now, mut taken) = (0, Vec::new());
        while taken.len() < 300 {
            now += step(&mut rng, interval, burst);
            for _ in 0..drain(&mut limiter, tenant(1), at(now)) {
                taken.push(now);
            }
        }
        for (count, from) in taken.iter().enumerate() {
            for (more, to) in taken.iter().enumerate().skip(count) {
                let tokens = u64::from(burst) + (to - from) / interval;
                assert!((more - count + 1) as u64 <= tokens, "seed {seed}: from {from} to {to}");
            }
        }
    }
}

#[test]
fn refusal_takes_no_token_and_reports_the_exact_wait() {
    for (seed, (interval, burst)) in (21..).zip(QUOTAS) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut limiter = TenantLimiter::<1>::new(quota(interval, burst));
        let mut now = at(rng.u64(..) % interval);
        for _ in 0..100 {
            drain(&mut limiter, tenant(1), now);
            let error = limiter.take(tenant(1), now).expect_err("an empty bucket");
            assert_eq!(error.tenant(), tenant(1));
            let wait = error.retry_after();
            assert!(wait > Duration::ZERO && wait <= at(interval));
            let too_soon = now + wait.saturating_sub(at(1));
            let error = limiter.take(tenant(1), too_soon).expect_err("a nanosecond too soon");
            assert_eq!(error.retry_after(), at(1));
            now += wait;
            limiter.take(tenant(1), now).expect("after what it said");
            now += at(rng.u64(..) % interval);
        }
    }
}

#[test]
fn retry_after_rounds_up_to_seconds() {
    for (nanoseconds, seconds) in
        [(1, 1), (SECOND - 1, 1), (SECOND, 1), (SECOND + 1, 2), (90 * SECOND, 90), (90 * SECOND + 1, 91)]
    {
        let mut limiter = TenantLimiter::<1>::new(quota(nanoseconds, 1));
        limiter.take(tenant(1), at(0)).expect("the bucket was full");
        let error = limiter.take(tenant(1), at(0)).expect_err("it is empty");
        assert_eq!(error.retry_after_seconds(), seconds);
        let text = format!("tenant {} is over its limit: try again in {seconds} s", tenant(1));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn tenants_have_separate_tokens() {
    let mut limiter = TenantLimiter::<2>::new(quota(SECOND, 3));
    drain(&mut limiter, tenant(1), at(0));
    for _ in 0..3 {
        limiter.take(tenant(2), at(0)).expect("its own bucket is full");
    }
    assert!(limiter.take(tenant(2), at(0)).is_err() && limiter.take(tenant(1), at(0)).is_err());
}

/// The clock moves back and forth at random; only its steps forward add tokens.
#[test]
fn random_clock_grants_no_extra_tokens() {
    for (seed, (interval, burst)) in (31..).zip(QUOTAS) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut limiter = TenantLimiter::<1>::new(quota(interval, burst));
        let (mut now, mut forward, mut taken) = (1_000 * interval, 0, 0);
        for _ in 0..5_000 {
            let by = step(&mut rng, interval, burst);
            if rng.usize(..2) == 0 {
                now = now.saturating_sub(by);
            } else {
                now += by;
                forward += by;
            }
            taken += u64::from(limiter.take(tenant(1), at(now)).is_ok());
            assert!(taken <= u64::from(burst) + forward / interval, "seed {seed}");
        }
    }
}

/// Threads that read the clock and then wait for a lock arrive in the wrong order.
#[test]
fn unordered_times_grant_no_extra_tokens() {
    for (interval, burst) in QUOTAS {
        let mut limiter = TenantLimiter::<1>::new(quota(interval, burst));
        let fill_time = interval * u64::from(burst);
        let start = 2 * fill_time;
        drain(&mut limiter, tenant(1), at(start));
        for _ in 0..1_000 {
            assert!(limiter.take(tenant(1), at(start - fill_time + interval)).is_err());
            assert!(limiter.take(tenant(1), at(start)).is_err());
        }
    }
}

#[test]
fn clock_set_back_does_not_lock_tenants_out() {
    for (interval, burst) in QUOTAS {
        let fill_time = interval * u64::from(burst);
        for back in [1, interval, fill_time, fill_time + 1, 2 * fill_time, 1_000 * fill_time] {
            let mut limiter = TenantLimiter::<1>::new(quota(interval, burst));
            let before = 1_000 * fill_time;
            drain(&mut limiter, tenant(1), at(before));
            let after = before - back;
            let error = limiter.take(tenant(1), at(after)).expect_err("the bucket is empty");
            let wait = error.retry_after();
            assert!(wait <= at(fill_time), "{wait:?} of {fill_time} ns");
            limiter.take(tenant(1), at(after) + wait).expect("after what it said");
        }
    }
}

#[test]
fn clock_set_back_does_not_block_places() {
    let (interval, burst) = (SECOND, 10);
    let mut limiter = TenantLimiter::<2>::new(quota(interval, burst));
    for number in [1, 2] {
        drain(&mut limiter, tenant(number), at(1_000_000 * SECOND));
    }
    let error = limiter.take(tenant(3), at(0)).expect_err("both places are taken");
    assert!(error.retry_after() <= at(2 * interval * u64::from(burst)), "{error:?}");
    assert!(limiter.take(tenant(3), error.retry_after().saturating_sub(at(1))).is_err());
    limiter.take(tenant(3), error.retry_after()).expect("a place");
}

/// Filling the places with other tenants must not refill a bucket.
#[test]
fn busy_tenant_keeps_its_place_and_idle_tenant_loses_nothing() {
    let mut limiter = TenantLimiter::<2>::new(quota(SECOND, 2));
    limiter.take(tenant(1), at(0)).expect("a full bucket");
    limiter.take(tenant(1), at(0)).expect("one more");
    limiter.take(tenant(2), at(0)).expect("a full bucket");
    let error = limiter.take(tenant(3), at(0)).expect_err("no place");
    assert_eq!((error.tenant(), error.retry_after()), (tenant(3), at(SECOND)));
    assert!(limiter.take(tenant(3), at(SECOND - 1)).is_err());
    // The second tenant's bucket is full again, the first tenant's is not.
    limiter.take(tenant(3), at(SECOND)).expect("the second's place");
    limiter.take(tenant(1), at(SECOND)).expect("the token of one second");
    assert!(limiter.take(tenant(1), at(SECOND)).is_err(), "the bucket stayed empty");
    assert!(limiter.take(tenant(2), at(SECOND)).is_err(), "no place");
    for _ in 0..2 {
        limiter.take(tenant(2), at(3 * SECOND)).expect("a full bucket in another's place");
    }
}

/// More tenants than places, compared with buckets that are never evicted.
#[test]
fn eviction_grants_no_extra_tokens() {
    const TENANTS: u64 = 9;
    let (interval, burst) = (1_000, 4);
    let mut rng = fastrand::Rng::with_seed(41);
    let mut limiter = TenantLimiter::<4>::new(quota(interval, burst));
    let mut buckets: Vec<_> = (0..TENANTS).map(|_| Bucket::new(interval, burst)).collect();
    let (mut now, mut places) = (0, 0);
    for _ in 0..50_000 {
        now += step(&mut rng, interval, burst) / 3;
        let tenant = tenant(rng.u64(..) % TENANTS);
        let bucket = &mut buckets[usize::try_from(number(tenant)).expect("below nine")];
        let held = bucket.held;
        match limiter.take(tenant, at(now)) {
            Ok(()) => bucket.take(now).expect("the plain bucket has one too"),
            // The plain bucket has tokens, but the tenant found no place: it keeps them.
            Err(_) if bucket.take(now).is_ok() => {
                bucket.held += bucket.interval;
                assert_eq!(bucket.held, bucket.most, "{tenant} had {held} and lost its place");
                places += 1;
            }
            Err(_) => {}
        }
    }
    assert!(places > 100, "the places ran out {places} times");
}

#[test]
fn limiter_without_places_refuses_everyone() {
    let mut limiter = TenantLimiter::<0>::new(quota(1, u32::MAX));
    for now in [Duration::ZERO, at(SECOND), Duration::MAX] {
        assert!(limiter.take(tenant(1), now).is_err());
    }
}

/// Arithmetic that saturates could allow everything.
#[test]
fn extreme_quotas_still_limit() {
    let times = [Duration::ZERO, at(1), at(u64::MAX / 2), at(u64::MAX - 1), at(u64::MAX), Duration::MAX];
    for interval in [Duration::ZERO, at(1), at(u64::MAX / 4), at(u64::MAX), Duration::MAX] {
        for burst in [1, 2, 1_000] {
            for now in times {
                let burst_of = NonZeroU32::new(burst).expect("one at least");
                let mut limiter = TenantLimiter::<1>::new(Quota::one_each(interval).burst(burst_of));
                let taken = (0..2_000).filter(|_| limiter.take(tenant(1), now).is_ok()).count();
                assert!(
                    (1..=burst as usize).contains(&taken),
                    "{taken} of {burst} each {interval:?} at {now:?}"
                );
                // Jumps between the ends of time must not panic.
                for now in times {
                    let _ = limiter.take(tenant(1), now);
                    let _ = limiter.take(tenant(2), now);
                }
            }
        }
    }
}

#[test]
fn maximal_quota_allows_a_token_each_nanosecond() {
    let mut limiter = TenantLimiter::<1>::new(Quota::per_second(NonZeroU32::MAX).burst(NonZeroU32::MAX));
    for now in (0..1_000_000).chain([u64::MAX]) {
        limiter.take(tenant(1), at(now)).expect("a nanosecond is a token");
    }
}

#[test]
fn per_second_allows_that_many_at_once() {
    for tokens in [1, 2, 3, 7, 100, 1_000] {
        let mut limiter = TenantLimiter::<1>::new(Quota::per_second(NonZeroU32::new(tokens).expect("some")));
        for (now, expected) in [(0, tokens), (SECOND, tokens), (SECOND, 0)] {
            assert_eq!(drain(&mut limiter, tenant(1), at(now)), u64::from(expected));
        }
    }
}

#[test]
fn debug_shows_no_tenant() {
    let mut limiter = TenantLimiter::<4>::new(quota(SECOND, 1));
    limiter.take(tenant(1), at(0)).expect("a full bucket");
    assert!(!format!("{limiter:?}").contains("a5a5"));
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!(size_of::<TenantLimiter<10>>() - size_of::<TenantLimiter<9>>(), 32);
}
