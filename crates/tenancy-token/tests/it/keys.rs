//! Keys: their forms, their ids, and their rotation.

use tenancy_token::{TokenErrorKind, TokenKey, Verifier};

use crate::support::*;

#[test]
fn keys_have_ids_of_1_to_16_bytes_and_secrets_of_32_to_64_bytes() {
    let ones = [1; 80];
    for length in 0..80 {
        let secret = TokenKey::hmac(KID, &ones[..length]);
        assert_eq!(secret.is_ok(), (32..=64).contains(&length), "a secret of {length} bytes");
        let id = TokenKey::hmac(&ones[..length], &SECRET);
        assert_eq!(id.is_ok(), (1..=16).contains(&length), "an id of {length} bytes");
        for error in [secret, id].into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), TokenErrorKind::Key);
        }
    }
}

#[test]
fn keys_rotate_by_their_id() {
    let [old, new] = [&b"2026-11"[..], b"2026-12"].map(|id| TokenKey::hmac(id, &[id[6]; 32]).unwrap());
    let both = Verifier::<2>::new("jobs").key(old.clone()).unwrap().key(new.clone()).unwrap();
    let newest = Verifier::<2>::new("jobs").key(new.clone()).unwrap();
    let [by_old, by_new] = [&old, &new].map(|key| mint(key, &claims()));
    assert!(both.verify(&by_old, NOW).is_ok() && both.verify(&by_new, NOW).is_ok());
    assert!(newest.verify(&by_new, NOW).is_ok());
    assert_eq!(kind(newest.verify(&by_old, NOW)), TokenErrorKind::UnknownKey);
}

#[test]
fn id_of_another_key_does_not_help() {
    let [one, two] = [1, 2].map(|byte| TokenKey::hmac(&[byte], &[byte; 32]).unwrap());
    let verifier = Verifier::<2>::new("jobs").key(one).unwrap().key(two).unwrap();
    // The secret of the second key, and the id of the first.
    let forged = mint(&TokenKey::hmac(&[1], &[2; 32]).unwrap(), &claims());
    assert_eq!(kind(verifier.verify(&forged, NOW)), TokenErrorKind::Signature);
}

#[test]
fn longer_secrets_differ_from_their_starts() {
    let [short, long] =
        [32, 64].map(|length| TokenKey::hmac(KID, &[[7; 32], [8; 32]].concat()[..length]).unwrap());
    let token = mint(&long, &claims());
    assert!(Verifier::<1>::new("jobs").key(long).unwrap().verify(&token, NOW).is_ok());
    let verifier = Verifier::<1>::new("jobs").key(short).unwrap();
    assert_eq!(kind(verifier.verify(&token, NOW)), TokenErrorKind::Signature);
}

#[test]
fn verifier_rejects_a_second_key_of_the_same_id_and_a_key_too_many() {
    let verifier = verifier();
    let same = TokenKey::hmac(KID, &[8; 32]).unwrap();
    assert_eq!(kind(verifier.clone().key(same)), TokenErrorKind::Key);
    let [second, third] = [b"2", b"3"].map(|id| TokenKey::hmac(id, &SECRET).unwrap());
    assert_eq!(kind(verifier.key(second).unwrap().key(third)), TokenErrorKind::Full);
    assert_eq!(kind(Verifier::<0>::new("jobs").key(key())), TokenErrorKind::Full);
}

#[test]
fn verifier_without_keys_rejects_everything() {
    let token = mint(&key(), &claims());
    assert_eq!(kind(Verifier::<0>::new("jobs").verify(&token, NOW)), TokenErrorKind::UnknownKey);
    assert_eq!(kind(Verifier::<4>::new("jobs").verify(&token, NOW)), TokenErrorKind::UnknownKey);
}
