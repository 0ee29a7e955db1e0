//! The rules for claims. All tokens are signed with the right key: the sender is wrong, or hostile.

use tenancy_token::{Claims, MAX_TOKEN, TokenErrorKind, UnixSeconds};

use crate::support::*;

/// A token with the required claims and these.
fn added(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    with_claims(&map(&[required(), entries.to_vec()].concat()))
}

/// A token with another value for one of the required claims.
fn changed(index: usize, value: Vec<u8>) -> Vec<u8> {
    let mut entries = required();
    entries[index].1 = value;
    with_claims(&map(&entries))
}

#[test]
fn minted_token_has_exactly_the_deterministic_encoding() {
    assert_eq!(mint(&key(), &claims()), with_claims(&map(&required())));
    let all = claims()
        .payload(b"{}")
        .id(b"12345678")
        .issued_at(NOW)
        .not_before(UnixSeconds(5))
        .subject("device")
        .issuer("cloud");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(b"{}");
    let entries = [
        (unsigned(1), text("cloud")),
        (unsigned(2), text("device")),
        (unsigned(3), text("jobs")),
        (unsigned(4), unsigned(NOW.0 + 300)),
        (unsigned(5), unsigned(5)),
        (unsigned(6), unsigned(NOW.0)),
        (unsigned(7), bytes(b"12345678")),
        (negative(70_000), bytes(TENANT.as_bytes())),
        (negative(70_001), bytes(&digest)),
    ];
    assert_eq!(mint(&key(), &all), with_claims(&map(&entries)));
}

#[test]
fn small_token_fits_into_96_bytes() {
    let key = tenancy_token::TokenKey::hmac(b"k1", &SECRET).unwrap();
    assert_eq!(mint(&key, &Claims::new(TENANT, "jobs", NOW).id(b"12345678")).len(), 92);
}

#[test]
fn verified_token_returns_its_claims() {
    let minted = claims().issuer("cloud").subject("device").id(b"0123456789abcdef").issued_at(NOW);
    let token = mint(&key(), &minted);
    let verified = expect(verifier().verify(&token, NOW));
    assert_eq!(verified.tenant(), TENANT);
    assert_eq!((verified.issuer(), verified.subject()), (Some("cloud"), Some("device")));
    assert_eq!(verified.id(), Some(&b"0123456789abcdef"[..]));
    assert_eq!((verified.issued_at(), verified.expires_at()), (Some(NOW), NOW.after(300)));

    let token = mint(&key(), &claims());
    let verified = expect(verifier().verify(&token, NOW));
    assert_eq!((verified.issuer(), verified.subject(), verified.id()), (None, None, None));
    assert_eq!(verified.issued_at(), None);
}

#[test]
fn rejects_a_token_without_a_required_claim() {
    for missing in 0..required().len() {
        let mut entries = required();
        entries.remove(missing);
        assert_eq!(verdict(&with_claims(&map(&entries))), Some(TokenErrorKind::Malformed), "{missing}");
    }
    assert_eq!(verdict(&with_claims(&map(&required()))), None);
}

#[test]
fn accepts_claims_in_any_order() {
    let mut entries = required();
    entries.reverse();
    assert_eq!(verdict(&with_claims(&map(&entries))), None);
    entries.swap(0, 1);
    assert_eq!(verdict(&with_claims(&map(&entries))), None);
}

#[test]
fn rejects_wrong_types_of_claims() {
    let float = vec![0xfb, 0x41, 0xda, 0xcf, 0x9a, 0xc0, 0, 0, 0];
    let tagged_date = [vec![0xc1], unsigned(NOW.0 + 300)].concat();
    let list = [head(4, 1), text("jobs")].concat();
    let nothing = vec![0xf6];
    for value in [bytes(b"jobs"), list, unsigned(1), nothing.clone(), vec![0x62, 0xc3, 0x28]] {
        assert_eq!(verdict(&changed(0, value)), Some(TokenErrorKind::Malformed));
    }
    for value in [float, tagged_date, negative(0), text("1796083500"), nothing.clone(), vec![0xf5]] {
        assert_eq!(verdict(&changed(1, value.clone())), Some(TokenErrorKind::Malformed));
        for label in [5, 6] {
            let token = added(&[(unsigned(label), value.clone())]);
            assert_eq!(verdict(&token), Some(TokenErrorKind::Malformed));
        }
    }
    let tagged_uuid = [vec![0xd8, 37], bytes(TENANT.as_bytes())].concat();
    for value in [text(&TENANT.to_text()), bytes(&[1; 15]), bytes(&[1; 17]), bytes(&[]), tagged_uuid, nothing]
    {
        assert_eq!(verdict(&changed(2, value)), Some(TokenErrorKind::Malformed));
    }
    for (label, value) in [
        (unsigned(1), unsigned(1)),
        (unsigned(2), bytes(b"device")),
        (unsigned(7), text("12345678")),
        (unsigned(7), bytes(&[1; 7])),
        (unsigned(7), bytes(&[1; 17])),
        (negative(70_001), bytes(&[1; 31])),
        (negative(70_001), bytes(&[1; 33])),
        (negative(70_001), text("digest")),
    ] {
        assert_eq!(verdict(&added(&[(label, value)])), Some(TokenErrorKind::Malformed));
    }
}

#[test]
fn rejects_reserved_tenants() {
    assert_eq!(verdict(&changed(2, bytes(&[0; 16]))), Some(TokenErrorKind::Tenant));
    assert_eq!(verdict(&changed(2, bytes(&[0xff; 16]))), Some(TokenErrorKind::Tenant));
}

#[test]
fn ignores_unknown_claims_with_integer_labels_and_simple_values() {
    let token = added(&[
        (unsigned(8), text("text")),
        (unsigned(1000), bytes(&[0; 30])),
        (negative(0), unsigned(u64::MAX)),
        (negative(u64::MAX), negative(u64::MAX)),
        (unsigned(u64::MAX), unsigned(0)),
        // Labels that differ from known ones in the sign alone.
        (negative(2), text("jobs")),
        (unsigned(70_000), bytes(&[0; 16])),
    ]);
    assert_eq!(verdict(&token), None);
}

#[test]
fn rejects_other_unknown_claims() {
    let array = head(4, 0);
    let tagged = [vec![0xc1], unsigned(0)].concat();
    for value in [array, map(&[]), tagged, vec![0xf6], vec![0xf9, 0x3c, 0x00], vec![0x61, 0xff]] {
        assert_eq!(verdict(&added(&[(unsigned(8), value)])), Some(TokenErrorKind::Malformed));
    }
    for label in [text("role"), bytes(b"role"), vec![0xf6], vec![0xf4]] {
        assert_eq!(verdict(&added(&[(label, unsigned(1))])), Some(TokenErrorKind::Malformed));
    }
}

#[test]
fn rejects_duplicate_claims() {
    for entry in required() {
        assert_eq!(verdict(&added(&[entry])), Some(TokenErrorKind::Malformed));
    }
    let optional = [
        (unsigned(1), text("cloud")),
        (unsigned(2), text("device")),
        (unsigned(5), unsigned(1)),
        (unsigned(6), unsigned(1)),
        (unsigned(7), bytes(&[1; 8])),
        (unsigned(8), text("a")),
        (negative(8), unsigned(1)),
    ];
    for entry in optional {
        assert_eq!(verdict(&added(std::slice::from_ref(&entry))), None);
        let twice = [entry.clone(), (unsigned(99), unsigned(1)), entry.clone()];
        assert_eq!(verdict(&added(&twice)), Some(TokenErrorKind::Malformed));
    }
}

#[test]
fn rejects_encodings_that_are_not_shortest_or_not_definite() {
    let mut entries = required();
    entries[0].0 = vec![0x18, 0x03];
    assert_eq!(verdict(&with_claims(&map(&entries))), Some(TokenErrorKind::Malformed));
    let expiry = [vec![0x1b], (NOW.0 + 300).to_be_bytes().to_vec()].concat();
    assert_eq!(verdict(&changed(1, expiry)), Some(TokenErrorKind::Malformed));
    let long_text = [vec![0x78, 4], b"jobs".to_vec()].concat();
    assert_eq!(verdict(&changed(0, long_text)), Some(TokenErrorKind::Malformed));
    let pieces = [vec![0x7f], text("jo"), text("bs"), vec![0xff]].concat();
    assert_eq!(verdict(&changed(0, pieces)), Some(TokenErrorKind::Malformed));
    let content = map(&required())[1..].to_vec();
    let indefinite = [vec![0xbf], content.clone(), vec![0xff]].concat();
    assert_eq!(verdict(&with_claims(&indefinite)), Some(TokenErrorKind::Malformed));
    let long_map = [vec![0xb8, 3], content].concat();
    assert_eq!(verdict(&with_claims(&long_map)), Some(TokenErrorKind::Malformed));
}

#[test]
fn rejects_wrong_counts_and_bytes_after_the_claims() {
    let claims = map(&required());
    for count in [0, 1, 2, 4, 23] {
        let token = with_claims(&[vec![0xa0 | count], claims[1..].to_vec()].concat());
        assert_eq!(verdict(&token), Some(TokenErrorKind::Malformed));
    }
    let huge = [head(5, u64::MAX), claims[1..].to_vec()].concat();
    assert_eq!(verdict(&with_claims(&huge)), Some(TokenErrorKind::Malformed));
    assert_eq!(verdict(&with_claims(&[claims, vec![0]].concat())), Some(TokenErrorKind::Malformed));
    assert_eq!(verdict(&with_claims(&[])), Some(TokenErrorKind::Malformed));
    assert_eq!(verdict(&with_claims(&text("claims"))), Some(TokenErrorKind::Malformed));
}

#[test]
fn rejects_other_audiences() {
    for audience in ["", "job", "jobs2", "Jobs", "jobs\0", "gateway"] {
        assert_eq!(verdict(&changed(0, text(audience))), Some(TokenErrorKind::Audience));
    }
}

#[test]
fn empty_audience_is_never_accepted() {
    let verifier = tenancy_token::Verifier::<1>::new("").key(key()).unwrap();
    let token = changed(0, text(""));
    assert_eq!(kind(verifier.verify(&token, NOW)), TokenErrorKind::Audience);
    let minted = key().mint(&Claims::new(TENANT, "", NOW.after(1)), &mut [0; MAX_TOKEN]).map(<[u8]>::len);
    assert_eq!(kind(minted), TokenErrorKind::Audience);
}

#[test]
fn cannot_mint_ids_of_other_lengths() {
    for length in 0..32 {
        let id = vec![1; length];
        let minted = key().mint(&claims().id(&id), &mut [0; MAX_TOKEN]).map(<[u8]>::len);
        assert_eq!(minted.is_ok(), (8..=16).contains(&length));
        if let Err(error) = minted {
            assert_eq!(error.kind(), TokenErrorKind::Malformed);
        }
    }
}

#[test]
fn mints_only_into_a_large_enough_buffer() {
    let minted = claims().subject("device").id(b"12345678").payload(b"{}");
    let token = mint(&key(), &minted);
    for length in 0..token.len() {
        let result = key().mint(&minted, &mut vec![0; length]).map(<[u8]>::len);
        assert_eq!(kind(result), TokenErrorKind::Buffer);
    }
    assert_eq!(key().mint(&minted, &mut vec![0xa5; token.len()]), Ok(&token[..]));
}

#[test]
fn token_has_at_most_512_bytes() {
    let subject = "x".repeat(MAX_TOKEN);
    let lengths = (300..MAX_TOKEN).filter_map(|length| {
        let minted = claims().subject(&subject[..length]);
        let mut buffer = [0; 2 * MAX_TOKEN];
        match key().mint(&minted, &mut buffer) {
            Ok(token) => {
                assert_eq!(verdict(token), None);
                Some(token.len())
            }
            Err(error) => {
                assert_eq!(error.kind(), TokenErrorKind::Buffer);
                None
            }
        }
    });
    assert_eq!(lengths.max(), Some(MAX_TOKEN));
    // A longer one is not read, although it is signed.
    let entries = [required(), vec![(unsigned(2), text(&subject))]].concat();
    assert_eq!(verdict(&with_claims(&map(&entries))), Some(TokenErrorKind::Malformed));
}
