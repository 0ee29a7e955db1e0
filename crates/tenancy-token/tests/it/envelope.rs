//! The rules for the envelope.

use tenancy_token::TokenErrorKind::{self, Algorithm, Malformed, Signature, UnknownKey};

use crate::support::*;

fn claims() -> Vec<u8> {
    map(&required())
}

fn kid() -> (Vec<u8>, Vec<u8>) {
    (unsigned(4), bytes(KID))
}

fn alg(label: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    (unsigned(1), label)
}

fn one(entry: &(Vec<u8>, Vec<u8>)) -> &[(Vec<u8>, Vec<u8>)] {
    std::slice::from_ref(entry)
}

/// The verdict on a message with these headers.
fn headers(protected: &[(Vec<u8>, Vec<u8>)], unprotected: &[(Vec<u8>, Vec<u8>)]) -> Option<TokenErrorKind> {
    verdict(&message(&map(protected), &map(unprotected), &claims()))
}

#[test]
fn accepts_the_key_id_in_exactly_one_header() {
    let alg = alg(unsigned(5));
    assert_eq!(headers(&[alg.clone(), kid()], &[]), None);
    assert_eq!(headers(&[kid(), alg.clone()], &[]), None);
    assert_eq!(headers(one(&alg), &[kid()]), None);
    assert_eq!(headers(&[alg.clone(), kid()], &[kid()]), Some(Malformed));
    assert_eq!(headers(one(&alg), &[kid(), kid()]), Some(Malformed));
    assert_eq!(headers(&[alg.clone(), kid(), kid()], &[]), Some(Malformed));
    assert_eq!(headers(&[alg], &[]), Some(Malformed));
}

#[test]
fn accepts_the_algorithm_in_the_protected_header_alone() {
    let alg = alg(unsigned(5));
    assert_eq!(headers(&[kid()], one(&alg)), Some(Malformed));
    assert_eq!(headers(&[alg.clone(), kid()], one(&alg)), Some(Malformed));
    assert_eq!(headers(&[alg.clone(), alg, kid()], &[]), Some(Malformed));
    assert_eq!(headers(&[kid()], &[]), Some(Malformed));
    assert_eq!(headers(&[], &[kid()]), Some(Malformed));
    let empty = message(&[], &map(&[kid()]), &claims());
    assert_eq!(verdict(&empty), Some(Malformed));
}

#[test]
fn rejects_other_algorithms() {
    // Zero, AES-GCM, HMAC 256/64, HMAC 384, AES-MAC, ES256, the number of EdDSA without its sign, and names.
    let labels = [0, 1, 4, 6, 15].map(unsigned).into_iter().chain([6, 4].map(negative));
    for label in labels.chain([unsigned(8), text("none"), text("HS256"), bytes(b"HS256")]) {
        assert_eq!(headers(&[alg(label), kid()], &[]), Some(Algorithm));
    }
    for label in [vec![0xf6], head(4, 0), vec![0xf9, 0x45, 0x00]] {
        assert_eq!(headers(&[alg(label), kid()], &[]), Some(Malformed));
    }
    // EdDSA in an envelope for codes, with a code by the right secret.
    assert_eq!(headers(&[alg(negative(7)), kid()], &[]), Some(Algorithm));
}

#[test]
fn checks_the_algorithm_before_the_key() {
    let unknown = (unsigned(4), bytes(b"unknown"));
    assert_eq!(headers(&[alg(unsigned(5)), unknown.clone()], &[]), Some(UnknownKey));
    assert_eq!(headers(&[alg(unsigned(6)), unknown], &[]), Some(Algorithm));
}

#[test]
fn rejects_key_ids_of_other_lengths_and_types() {
    for value in [bytes(&[]), bytes(&[1; 17]), text("2026-12"), unsigned(1), vec![0xf6]] {
        assert_eq!(headers(&[alg(unsigned(5)), (unsigned(4), value)], &[]), Some(Malformed));
    }
    for id in [&b"2026-1"[..], b"2026-12\0", b"2026-13", &[1; 16]] {
        assert_eq!(headers(&[alg(unsigned(5)), (unsigned(4), bytes(id))], &[]), Some(UnknownKey));
    }
}

#[test]
fn rejects_other_header_parameters() {
    let crit = (unsigned(2), [head(4, 1), unsigned(1)].concat());
    let others = [
        crit,
        (unsigned(3), unsigned(61)),
        (unsigned(5), bytes(&[0; 12])),
        (unsigned(16), text("application/cwt")),
        (negative(0), unsigned(1)),
        (text("reserved"), unsigned(1)),
        (negative(3), bytes(KID)),
    ];
    for other in others {
        assert_eq!(headers(&[alg(unsigned(5)), kid(), other.clone()], &[]), Some(Malformed));
        assert_eq!(headers(&[alg(unsigned(5)), kid()], &[other]), Some(Malformed));
    }
}

#[test]
fn accepts_the_tag_of_tokens_in_front() {
    let token = with_claims(&claims());
    assert_eq!(verdict(&[&[0xd8, 61], &token[..]].concat()), None);
    assert_eq!(verdict(&[&[0xd8, 61, 0xd8, 61], &token[..]].concat()), Some(Malformed));
    // The tag in two more bytes than it needs.
    assert_eq!(verdict(&[&[0xd9, 0, 61], &token[..]].concat()), Some(Malformed));
    // Self-described CBOR (RFC 8949, section 3.4.6).
    assert_eq!(verdict(&[&[0xd9, 0xd9, 0xf7], &token[..]].concat()), Some(Malformed));
}

#[test]
fn rejects_other_tags() {
    let token = with_claims(&claims());
    assert_eq!(verdict(&token[1..]), Some(Malformed));
    // COSE_Encrypt0, and tags of one byte more for COSE_Mac, COSE_Sign and an unknown one.
    assert_eq!(verdict(&[&[0xd0], &token[1..]].concat()), Some(Malformed));
    for tag in [96, 97, 98, 200] {
        assert_eq!(verdict(&[&[0xd8, tag], &token[1..]].concat()), Some(Malformed));
    }
    // COSE_Sign1 with the algorithm of a code.
    assert_eq!(verdict(&[&[0xd2], &token[1..]].concat()), Some(Algorithm));
}

#[test]
fn rejects_other_shapes_of_the_array() {
    let (protected, claims) = (bytes(&protected()), bytes(&claims()));
    let code = bytes(&code(&crate::support::protected(), &map(&required())));
    let unprotected = map(&[]);
    let join = |head: &[u8], items: &[&[u8]]| [head, &items.concat()].concat();
    let items: [&[u8]; 4] = [&protected, &unprotected, &claims, &code];
    assert_eq!(verdict(&join(b"\xd1\x84", &items)), None);
    assert_eq!(verdict(&join(b"\xd1\x83", &items[..3])), Some(Malformed));
    assert_eq!(verdict(&join(b"\xd1\x85", &[&items[..], &[&[0xf6]]].concat())), Some(Malformed));
    assert_eq!(verdict(&join(b"\xd1\x98\x04", &items)), Some(Malformed));
    assert_eq!(verdict(&[join(b"\xd1\x9f", &items), vec![0xff]].concat()), Some(Malformed));
    assert_eq!(verdict(&[join(b"\xd1\x84", &items), vec![0]].concat()), Some(Malformed));
    // A detached payload.
    assert_eq!(verdict(&join(b"\xd1\x84", &[&protected, &unprotected, &[0xf6], &code])), Some(Malformed));
    // Headers and claims that are not in byte strings.
    assert_eq!(
        verdict(&join(b"\xd1\x84", &[&protected[1..], &unprotected, &claims, &code])),
        Some(Malformed)
    );
    assert_eq!(
        verdict(&join(b"\xd1\x84", &[&protected, &unprotected, &claims[2..], &code])),
        Some(Malformed)
    );
    // Bytes after the protected header, within its byte string.
    let longer = [crate::support::protected(), vec![0]].concat();
    assert_eq!(verdict(&message(&longer, &unprotected, &map(&required()))), Some(Malformed));
}

#[test]
fn rejects_codes_of_other_lengths() {
    let claims = claims();
    let code = code(&protected(), &claims);
    for length in 0..code.len() {
        let token =
            [b"\xd1\x84", &bytes(&protected())[..], &map(&[]), &bytes(&claims), &bytes(&code[..length])];
        assert_eq!(verdict(&token.concat()), Some(Signature));
    }
    let longer = bytes(&[code, vec![0]].concat());
    let token = [b"\xd1\x84", &bytes(&protected())[..], &map(&[]), &bytes(&claims), &longer];
    assert_eq!(verdict(&token.concat()), Some(Signature));
}

#[test]
fn checks_the_signature_before_the_claims() {
    // Claims that are malformed, for another audience, and expired: without the right code none of that is reported.
    for claims in [vec![0xff], map(&[]), map(&[(unsigned(3), text("other"))])] {
        let mut token = with_claims(&claims);
        let last = token.len() - 1;
        token[last] ^= 1;
        assert_eq!(verdict(&token), Some(Signature));
    }
}

#[test]
fn every_changed_bit_and_every_cut_is_rejected() {
    let token = with_claims(&claims());
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut changed = token.clone();
            changed[at] ^= 1 << bit;
            assert!(verdict(&changed).is_some(), "bit {bit} of byte {at}");
        }
        assert_eq!(verdict(&token[..at]), Some(Malformed), "{at} bytes");
    }
}
