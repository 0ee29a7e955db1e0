//! Tokens with the system's time, for senders.

use std::collections::HashSet;
use std::time::Duration;

use tenancy_token::{Issuer, MAX_TOKEN, ReplayGuard, TokenErrorKind, TokenKey, UnixSeconds};

use crate::support::*;

fn issuer(lifetime: Duration) -> Issuer {
    Issuer::new(key(), "jobs", lifetime).expect("an issuer")
}

fn now() -> UnixSeconds {
    UnixSeconds::now().expect("the time")
}

#[test]
fn tokens_are_valid_for_the_lifetime() {
    let mut buffer = [0; MAX_TOKEN];
    let before = now();
    let token = issuer(Duration::from_millis(60_999)).issue(TENANT, &mut buffer).unwrap();
    let verified = expect(verifier().verify(token, before));
    assert_eq!(verified.tenant(), TENANT);
    let issued_at = verified.issued_at().unwrap();
    assert!((before..=now()).contains(&issued_at));
    assert_eq!(verified.expires_at(), issued_at.after(60));
}

#[test]
fn sealed_token_opens_with_its_payload_only() {
    let mut buffer = [0; MAX_TOKEN];
    let token = issuer(Duration::from_secs(60)).seal(TENANT, b"a job", &mut buffer).unwrap();
    assert_eq!(expect(verifier().open(token, b"a job", now())).tenant(), TENANT);
    assert_eq!(kind(verifier().open(token, b"another job", now())), TokenErrorKind::Payload);
    assert_eq!(kind(verifier().verify(token, now())), TokenErrorKind::Payload);
}

#[test]
fn every_token_has_an_id_of_its_own() {
    let issuers = [issuer(Duration::from_secs(60)), issuer(Duration::from_secs(60))];
    let mut ids = HashSet::new();
    let mut guard = ReplayGuard::<200>::new();
    for number in 0..200 {
        let mut buffer = [0; MAX_TOKEN];
        let token = issuers[number % 2].issue(TENANT, &mut buffer).unwrap();
        let verified = expect(verifier().verify(token, now()));
        ids.insert(verified.id().unwrap().to_vec());
        guard.accept(&verified, now()).unwrap();
    }
    assert_eq!(ids.len(), 200);
}

#[test]
fn rejects_settings_with_which_no_token_can_be_minted() {
    let minute = Duration::from_secs(60);
    assert_eq!(kind(Issuer::new(key(), "", minute)), TokenErrorKind::Audience);
    assert_eq!(kind(Issuer::new(key(), "a".repeat(MAX_TOKEN), minute)), TokenErrorKind::Buffer);
    assert_eq!(kind(Issuer::new(key(), "jobs", Duration::from_millis(999))), TokenErrorKind::Expired);
    // The longest audience for which a sealed token with the largest times fits.
    let longest = (1..MAX_TOKEN).rev().find(|length| Issuer::new(key(), "a".repeat(*length), minute).is_ok());
    let issuer = Issuer::new(key(), "a".repeat(longest.unwrap()), Duration::MAX).unwrap();
    assert!(issuer.seal(TENANT, b"a job", &mut [0; MAX_TOKEN]).is_ok());
    assert_eq!(kind(issuer.seal(TENANT, b"a job", &mut [0; 64])), TokenErrorKind::Buffer);
}

#[cfg(feature = "ed25519")]
#[test]
fn rejects_a_key_that_only_verifies() {
    // The public key of RFC 8032, section 7.1, test 1.
    let public = *b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
    let key = TokenKey::ed25519_public(KID, &public).unwrap();
    assert_eq!(kind(Issuer::new(key, "jobs", Duration::from_secs(60))), TokenErrorKind::Key);
}
