//! Expiry, first valid time, leeway, and the floor of the time.

use tenancy_token::{Claims, TimeFloor, TokenErrorKind, UnixSeconds, Verifier};

use crate::support::*;

fn with_leeway(seconds: u32) -> Verifier<1> {
    Verifier::new("jobs").key(key()).unwrap().leeway(seconds)
}

fn at(verifier: &Verifier<1>, token: &[u8], now: u64) -> Option<TokenErrorKind> {
    verifier.verify(token, UnixSeconds(now)).err().map(|error| error.kind())
}

#[test]
fn token_is_valid_before_its_expiry_and_no_longer() {
    let token = mint(&key(), &Claims::new(TENANT, "jobs", UnixSeconds(1000)));
    let strict = with_leeway(0);
    assert_eq!(at(&strict, &token, 0), None);
    assert_eq!(at(&strict, &token, 999), None);
    assert_eq!(at(&strict, &token, 1000), Some(TokenErrorKind::Expired));
    assert_eq!(at(&strict, &token, u64::MAX), Some(TokenErrorKind::Expired));
    let lenient = with_leeway(30);
    assert_eq!(at(&lenient, &token, 1029), None);
    assert_eq!(at(&lenient, &token, 1030), Some(TokenErrorKind::Expired));
}

#[test]
fn token_is_valid_from_its_first_valid_time() {
    let token = mint(&key(), &Claims::new(TENANT, "jobs", UnixSeconds(2000)).not_before(UnixSeconds(1000)));
    let strict = with_leeway(0);
    assert_eq!(at(&strict, &token, 999), Some(TokenErrorKind::NotYetValid));
    assert_eq!(at(&strict, &token, 1000), None);
    let lenient = with_leeway(30);
    assert_eq!(at(&lenient, &token, 969), Some(TokenErrorKind::NotYetValid));
    assert_eq!(at(&lenient, &token, 970), None);
}

#[test]
fn largest_times_do_not_overflow() {
    let token =
        mint(&key(), &Claims::new(TENANT, "jobs", UnixSeconds(u64::MAX)).not_before(UnixSeconds(u64::MAX)));
    let lenient = with_leeway(u32::MAX);
    assert_eq!(at(&lenient, &token, u64::MAX - u64::from(u32::MAX)), None);
    assert_eq!(at(&lenient, &token, u64::MAX), Some(TokenErrorKind::Expired));
    assert_eq!(UnixSeconds(u64::MAX).after(1), UnixSeconds(u64::MAX));
    let zero = mint(&key(), &Claims::new(TENANT, "jobs", UnixSeconds(0)));
    assert_eq!(at(&with_leeway(0), &zero, 0), Some(TokenErrorKind::Expired));
}

#[test]
fn floor_keeps_a_token_expired_when_the_clock_goes_back() {
    let verifier = with_leeway(0);
    let lease = mint(&key(), &claims().issued_at(NOW));
    let newer = mint(&key(), &Claims::new(TENANT, "jobs", NOW.after(900)).issued_at(NOW.after(600)));
    let mut floor = TimeFloor::new();
    // The device has no clock at first: the token itself proves that its time of issue has passed.
    let clock = UnixSeconds(0);
    assert!(floor.observe(&expect(verifier.verify(&lease, floor.now(clock)))));
    assert_eq!(floor.now(clock), NOW);
    assert!(floor.observe(&expect(verifier.verify(&newer, floor.now(clock)))));
    assert_eq!(at(&verifier, &lease, floor.now(clock).0), Some(TokenErrorKind::Expired));

    // It is persisted, and an older token does not lower it.
    let mut restored = TimeFloor::from(floor.time());
    assert!(!restored.observe(&expect(verifier.verify(&lease, NOW))));
    assert_eq!(restored.now(clock), NOW.after(600));
    assert_eq!(restored.now(NOW.after(700)), NOW.after(700));
}

#[test]
fn token_without_a_time_of_issue_does_not_change_the_floor() {
    let mut floor = TimeFloor::default();
    let (verifier, token) = (with_leeway(0), mint(&key(), &claims()));
    assert!(!floor.observe(&expect(verifier.verify(&token, NOW))));
    assert_eq!(floor.time(), UnixSeconds(0));
}

#[cfg(feature = "std")]
#[test]
fn system_time_is_after_this_test_was_written() {
    assert!(UnixSeconds::now().is_some_and(|now| now > UnixSeconds(1_764_547_200)));
}
