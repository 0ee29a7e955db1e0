//! A token is for one delivery, also if the delivery is repeated.

use tenancy_token::{DeliveryGuard, TokenErrorKind};

use crate::support::*;

#[test]
fn accepts_repetitions_of_a_delivery_and_no_copy() {
    let token = mint(&key(), &claims().id(b"12345678"));
    let verified = expect(verifier().verify(&token, NOW));
    let guard = DeliveryGuard::new(10);
    assert_eq!(guard.accept(&verified, "one", NOW), Ok(()));
    assert_eq!(guard.accept(&verified, "one", NOW.after(299)), Ok(()));
    assert_eq!(kind(guard.accept(&verified, "two", NOW.after(299))), TokenErrorKind::Replayed);
    // The same id of another tenant is another token.
    let other = tenancy_token::Claims::new(OTHER, "jobs", NOW.after(300)).id(b"12345678");
    let other = mint(&key(), &other);
    assert_eq!(guard.accept(&expect(verifier().verify(&other, NOW)), "two", NOW), Ok(()));
}

#[test]
fn expired_token_stays_rejected_when_the_clock_is_set_back() {
    let token = mint(&key(), &claims().id(b"12345678"));
    let verified = expect(verifier().verify(&token, NOW));
    let guard = DeliveryGuard::new(10);
    assert_eq!(guard.accept(&verified, "one", NOW), Ok(()));
    assert_eq!(kind(guard.accept(&verified, "one", NOW.after(300))), TokenErrorKind::Expired);
    assert_eq!(kind(guard.accept(&verified, "one", NOW)), TokenErrorKind::Expired);
}

#[test]
fn full_guard_rejects_tokens_until_others_expire() {
    let guard = DeliveryGuard::new(2);
    let accept = |id: &[u8], lifetime, now| {
        let token = tenancy_token::Claims::new(TENANT, "jobs", NOW.after(lifetime)).id(id);
        let token = mint(&key(), &token);
        guard.accept(&expect(verifier().verify(&token, NOW)), "one", now)
    };
    assert_eq!(accept(b"token  1", 10, NOW), Ok(()));
    assert_eq!(accept(b"token  2", 300, NOW), Ok(()));
    assert_eq!(kind(accept(b"token  3", 300, NOW)), TokenErrorKind::Full);
    // A known token is accepted by a full guard.
    assert_eq!(accept(b"token  2", 300, NOW), Ok(()));
    assert_eq!(accept(b"token  3", 300, NOW.after(10)), Ok(()));
    assert_eq!(kind(accept(b"token  4", 300, NOW.after(10))), TokenErrorKind::Full);
}

#[test]
fn rejects_a_token_without_an_id() {
    let token = mint(&key(), &claims());
    let verified = expect(verifier().verify(&token, NOW));
    assert_eq!(kind(DeliveryGuard::new(1).accept(&verified, "one", NOW)), TokenErrorKind::Replayed);
}
