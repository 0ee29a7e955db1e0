//! Sealed payloads.

use tenancy_token::TokenErrorKind;

use crate::support::*;

#[test]
fn sealed_token_opens_with_its_payload_alone() {
    let token = mint(&key(), &claims().payload(b"job 17"));
    assert_eq!(expect(verifier().open(&token, b"job 17", NOW)).tenant(), TENANT);
    for payload in [&b"job 18"[..], b"job 1", b"job 17 ", b""] {
        assert_eq!(kind(verifier().open(&token, payload, NOW)), TokenErrorKind::Payload);
    }
}

#[test]
fn sealed_token_does_not_verify_without_its_payload() {
    let token = mint(&key(), &claims().payload(b"job 17"));
    assert_eq!(kind(verifier().verify(&token, NOW)), TokenErrorKind::Payload);
}

#[test]
fn open_rejects_tokens_without_a_digest() {
    let token = mint(&key(), &claims());
    assert_eq!(kind(verifier().open(&token, b"", NOW)), TokenErrorKind::Payload);
    assert_eq!(kind(verifier().open(&token, b"job 17", NOW)), TokenErrorKind::Payload);
}

#[test]
fn empty_payload_is_a_payload() {
    let token = mint(&key(), &claims().payload(b""));
    assert!(verifier().open(&token, b"", NOW).is_ok());
    assert_eq!(kind(verifier().verify(&token, NOW)), TokenErrorKind::Payload);
}

#[test]
fn open_checks_everything_that_verify_checks() {
    let sealed = claims().payload(b"job");
    let token = mint(&key(), &sealed);
    assert_eq!(kind(verifier().open(&token, b"job", NOW.after(300))), TokenErrorKind::Expired);
    let other = tenancy_token::Verifier::<1>::new("other").key(key()).unwrap();
    assert_eq!(kind(other.open(&token, b"job", NOW)), TokenErrorKind::Audience);
    let mut forged = token.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(kind(verifier().open(&forged, b"job", NOW)), TokenErrorKind::Signature);
}
