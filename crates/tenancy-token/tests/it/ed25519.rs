//! Tokens that are signed with Ed25519.

use tenancy_token::{MAX_TOKEN, TokenErrorKind, TokenKey, Verifier};

use crate::support::*;

/// RFC 8032, section 7.1, test 1.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

fn public() -> Verifier<1> {
    Verifier::new("jobs").key(TokenKey::ed25519_public(KID, &PUBLIC).unwrap()).unwrap()
}

#[test]
fn public_key_verifies_and_does_not_mint() {
    let key = TokenKey::ed25519(KID, &SEED).unwrap();
    let token = mint(&key, &claims());
    assert_eq!(expect(public().verify(&token, NOW)).tenant(), TENANT);
    let verifier = Verifier::<1>::new("jobs").key(key).unwrap();
    assert_eq!(expect(verifier.verify(&token, NOW)).tenant(), TENANT);
    let key = TokenKey::ed25519_public(KID, &PUBLIC).unwrap();
    assert_eq!(kind(key.mint(&claims(), &mut [0; MAX_TOKEN]).map(<[u8]>::len)), TokenErrorKind::Key);
}

#[test]
fn every_changed_byte_is_rejected() {
    let token = mint(&TokenKey::ed25519(KID, &SEED).unwrap(), &claims());
    for at in 0..token.len() {
        let mut changed = token.clone();
        changed[at] ^= 1;
        assert!(public().verify(&changed, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn longest_token_can_be_signed() {
    let key = TokenKey::ed25519(KID, &SEED).unwrap();
    let subject = "x".repeat(MAX_TOKEN);
    let longest = (300..MAX_TOKEN).rev().find_map(|length| {
        let mut buffer = [0; MAX_TOKEN];
        key.mint(&claims().subject(&subject[..length]), &mut buffer).ok().map(<[u8]>::to_vec)
    });
    let longest = longest.unwrap();
    assert_eq!(longest.len(), MAX_TOKEN);
    assert!(public().verify(&longest, NOW).is_ok());
}

/// The classic attack: the public key, which is known, is used as the secret of a code.
#[test]
fn public_key_as_a_secret_is_rejected_before_cryptography() {
    let forged = mint(&TokenKey::hmac(KID, &PUBLIC).unwrap(), &claims());
    assert_eq!(kind(public().verify(&forged, NOW)), TokenErrorKind::Algorithm);
    // The reverse: a signature for a verifier with a secret.
    let signed = mint(&TokenKey::ed25519(KID, &SEED).unwrap(), &claims());
    assert_eq!(kind(verifier().verify(&signed, NOW)), TokenErrorKind::Algorithm);
    // The tag of the other envelope.
    let mut confused = signed;
    confused[0] = 0xd1;
    assert_eq!(kind(public().verify(&confused, NOW)), TokenErrorKind::Algorithm);
}

#[test]
fn rejects_public_keys_that_are_no_points_or_of_small_order() {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for bytes in [no_point, neutral, [0; 32]] {
        assert_eq!(kind(TokenKey::ed25519_public(KID, &bytes)), TokenErrorKind::Key);
    }
}

/// A signature has two numbers; adding the group's order to the second one must not give a second valid signature.
#[test]
fn rejects_a_second_form_of_a_signature() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut token = mint(&TokenKey::ed25519(KID, &SEED).unwrap(), &claims());
    let start = token.len() - 32;
    let mut carry = 0;
    for (byte, added) in token[start..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(added) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_eq!(kind(public().verify(&token, NOW)), TokenErrorKind::Signature);
}

#[test]
fn rejects_signatures_of_other_lengths() {
    let token = mint(&TokenKey::ed25519(KID, &SEED).unwrap(), &claims());
    let start = token.len() - 66;
    for length in [0, 1, 32, 63, 65] {
        let signature: Vec<_> = token[start + 2..].iter().copied().chain([0]).take(length).collect();
        let changed = [&token[..start], &bytes(&signature)].concat();
        assert_eq!(kind(public().verify(&changed, NOW)), TokenErrorKind::Signature);
    }
}
