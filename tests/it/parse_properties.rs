//! `TenantId::parse`, compared with `uuid`; its errors, compared with a reference that reads byte by byte.

use std::mem::{align_of, size_of};

use proptest::prelude::*;
use tenancy::{
    InTenant, InvalidTenantIdError, InvalidTenantIdKind as Kind, TenantContextNotSetError, TenantError,
    TenantFutureExt, TenantId, TenantMismatchError, TenantNotFoundError, TenantValidationError,
    TenantValidationKind, UnauthorizedTenantAccessError,
};
use uuid::Uuid;

use crate::support::tenant;

/// Returns the four text forms of an id.
fn forms(bytes: [u8; 16]) -> [String; 4] {
    let uuid = Uuid::from_bytes(bytes);
    [
        uuid.simple().to_string(),
        uuid.hyphenated().to_string(),
        uuid.braced().to_string(),
        uuid.urn().to_string(),
    ]
}

fn random_id(rng: &mut fastrand::Rng) -> [u8; 16] {
    rng.u128(..).to_be_bytes()
}

/// Returns the template of a text of this length, in the notation of RFC 9562.
fn template(length: usize) -> Option<&'static [u8]> {
    match length {
        32 => Some(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        36 => Some(b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        38 => Some(b"{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}"),
        45 => Some(b"urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        _ => None,
    }
}

/// A simple parser: returns the bytes, or the kind and position of the first fault from left to right.
fn reference(text: &[u8]) -> Result<[u8; 16], (Kind, Option<usize>)> {
    if text.is_empty() {
        return Err((Kind::Empty, None));
    }
    let template = template(text.len()).ok_or((Kind::Length, None))?;
    let mut digits = String::new();
    for (at, (&byte, &wanted)) in text.iter().zip(template).enumerate() {
        match wanted {
            b'x' if byte.is_ascii_hexdigit() => digits.push(byte.into()),
            b'x' if byte == b'-' => return Err((Kind::Hyphen, Some(at))),
            b'-' if byte != b'-' => return Err((Kind::Hyphen, Some(at))),
            b'-' => {}
            b'x' => return Err((Kind::Character, Some(at))),
            wanted if wanted.eq_ignore_ascii_case(&byte) => {}
            _ => return Err((Kind::Character, Some(at))),
        }
    }
    match u128::from_str_radix(&digits, 16).expect("32 digits") {
        0 => Err((Kind::Nil, None)),
        u128::MAX => Err((Kind::Max, None)),
        whole => Ok(whole.to_be_bytes()),
    }
}

/// Compares one text with `uuid` and the reference; returns whether it is an id.
fn check(text: &[u8]) -> bool {
    let ours = TenantId::parse_ascii(text);
    let theirs = Uuid::try_parse_ascii(text);
    match theirs {
        Ok(uuid) if uuid.is_nil() => assert_eq!(ours.map_err(|e| e.kind()), Err(Kind::Nil), "{text:x?}"),
        Ok(uuid) if uuid.is_max() => assert_eq!(ours.map_err(|e| e.kind()), Err(Kind::Max), "{text:x?}"),
        Ok(uuid) => assert_eq!(ours.map(Uuid::from), Ok(uuid), "{text:x?}"),
        Err(_) => assert!(ours.is_err(), "{text:x?} is an id here, but not for uuid"),
    }
    let found = ours.map(|id| *id.as_bytes()).map_err(|error| (error.kind(), error.position()));
    assert_eq!(found, reference(text), "{text:x?}");
    if let Ok(text) = std::str::from_utf8(text) {
        assert_eq!(TenantId::parse(text), ours, "text and bytes are read alike");
        assert_eq!(text.parse(), ours, "the vector path and the scalar path agree on {text:?}");
        assert_eq!(TenantId::try_from(text), ours, "the vector path and the scalar path agree on {text:?}");
    }
    assert_eq!(TenantId::try_from(text), ours, "the vector path and the scalar path agree on {text:x?}");
    ours.is_ok()
}

#[test]
fn single_byte_mutations_parse_like_uuid() {
    let mut rng = fastrand::Rng::with_seed(0x1d);
    let (mut valid, mut all) = (0, 0);
    for _ in 0..3 {
        let id = random_id(&mut rng);
        for form in forms(id) {
            for text in [form.clone(), form.to_uppercase()] {
                assert!(check(text.as_bytes()), "{text}");
                let mut text = text.into_bytes();
                for at in 0..text.len() {
                    let kept = text[at];
                    for byte in 0..=u8::MAX {
                        text[at] = byte;
                        valid += usize::from(check(&text));
                        all += 1;
                    }
                    text[at] = kept;
                }
            }
        }
    }
    // Each of the 128 digits has 22 spellings, and each letter of the two prefixes has two.
    assert!(valid > 3 * 2 * 128 * 22 && valid < all / 5, "{valid} of {all}");
}

#[test]
fn single_byte_mutations_of_reserved_ids_parse_like_uuid() {
    for id in [[0; 16], [0xff; 16]] {
        for form in forms(id) {
            assert!(!check(form.as_bytes()), "{form} is reserved");
            let mut text = form.into_bytes();
            for at in 0..text.len() {
                let kept = text[at];
                for byte in 0..=u8::MAX {
                    text[at] = byte;
                    check(&text);
                }
                text[at] = kept;
            }
        }
    }
}

#[test]
fn missing_doubled_and_swapped_bytes_parse_like_uuid() {
    let mut rng = fastrand::Rng::with_seed(0x2d);
    let id = random_id(&mut rng);
    for form in forms(id) {
        let text = form.into_bytes();
        for at in 0..text.len() {
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(!check(&shorter));
            let mut longer = text.clone();
            longer.insert(at, text[at]);
            assert!(!check(&longer));
            for other in at + 1..text.len() {
                let mut swapped = text.clone();
                swapped.swap(at, other);
                check(&swapped);
            }
        }
    }
}

#[test]
fn random_bytes_parse_like_uuid() {
    let mut rng = fastrand::Rng::with_seed(0x3d);
    for length in 0..=64 {
        for _ in 0..500 {
            let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
            check(&bytes);
            // Bytes that occur in ids reach further into the parser.
            let near: Vec<u8> =
                (0..length).map(|_| b"0123456789abcdefABCDEF--{}urn:uid:gG/:@`"[rng.usize(..39)]).collect();
            check(&near);
        }
    }
}

#[test]
fn mixed_case_forms_parse_like_uuid() {
    let mut rng = fastrand::Rng::with_seed(0x4d);
    for _ in 0..5_000 {
        let id = random_id(&mut rng);
        for form in forms(id) {
            let mixed: String =
                form.chars().map(|c| if rng.usize(..2) == 0 { c.to_ascii_uppercase() } else { c }).collect();
            assert!(check(mixed.as_bytes()), "{mixed}");
            assert_eq!(TenantId::parse(&mixed).map(|id| *id.as_bytes()), Ok(id));
        }
    }
}

/// `uuid` before 1.20 accepted the prefix only in lower case; RFC 8141 ignores its case.
#[test]
fn accepts_the_urn_prefix_in_any_case() {
    for prefix in ["urn:uuid:", "URN:UUID:", "Urn:Uuid:", "urn:UUID:"] {
        assert!(check(format!("{prefix}550e8400-e29b-41d4-a716-446655440000").as_bytes()), "{prefix}");
    }
    assert!(!check(b"urn-uuid:550e8400-e29b-41d4-a716-446655440000"));
    // `:` with bit 5 cleared, which careless lower-casing would accept.
    assert!(!check(b"urn\x1auuid:550e8400-e29b-41d4-a716-446655440000"));
}

#[test]
fn rejects_long_texts_and_reports_their_length() {
    for (length, said) in [(1, "1 bytes"), (254, "254 bytes"), (255, "255 or more"), (1 << 20, "255 or more")]
    {
        let error = TenantId::parse_ascii(&vec![b'a'; length]).expect_err("too long");
        assert_eq!((error.kind(), error.position()), (Kind::Length, None));
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Returns whether a text contains letters that no message contains, so that they came from the input.
fn marked(text: &str) -> bool {
    ["ZQ", "zq", "\u{1b}", "<script", "';--"].iter().any(|mark| text.contains(mark))
}

#[test]
fn errors_never_repeat_the_input() {
    let mut rng = fastrand::Rng::with_seed(0x5d);
    let mut refused = 0;
    for length in 0..=300 {
        for _ in 0..20 {
            let marks = ["ZQ", "zq", "\u{1b}[31m", "<script>", "';--"];
            let mut text = String::new();
            while text.len() < length {
                text.push_str(marks[rng.usize(..marks.len())]);
            }
            text.truncate(length);
            let error = TenantId::parse(&text).expect_err("no id has such letters");
            let all: TenantError = error.into();
            assert!(!marked(&format!("{error} {error:?} {error:#?} {all} {all:?}")), "{error}");
            refused += 1;
        }
    }
    assert_eq!(refused, 301 * 20);
}

#[test]
fn mismatch_shows_only_the_expected_tenant() {
    let error = TenantMismatchError::new(tenant(1), tenant(2));
    assert_eq!((error.expected(), error.found()), (tenant(1), tenant(2)));
    let all: TenantError = error.into();
    let shown = format!("{error} {error:?} {error:#?} {all} {all:?} {all:#?}");
    assert!(shown.contains(tenant(1).to_text().as_str()));
    assert!(!shown.contains(tenant(2).to_text().as_str()), "{shown}");
}

#[test]
fn every_error_keeps_its_text_in_the_enum() {
    let suspended = TenantValidationError::new(tenant(3), TenantValidationKind::Suspended);
    assert_eq!((suspended.tenant(), suspended.kind()), (tenant(3), TenantValidationKind::Suspended));
    assert_eq!(TenantNotFoundError::new(tenant(3)).tenant(), tenant(3));
    assert_eq!(UnauthorizedTenantAccessError::new(tenant(3)).tenant(), tenant(3));

    let deleted = TenantValidationError::new(tenant(3), TenantValidationKind::Deleted);
    let errors: [(TenantError, String); 6] = [
        (suspended.into(), suspended.to_string()),
        (deleted.into(), deleted.to_string()),
        (TenantNotFoundError::new(tenant(3)).into(), TenantNotFoundError::new(tenant(3)).to_string()),
        (
            UnauthorizedTenantAccessError::new(tenant(3)).into(),
            UnauthorizedTenantAccessError::new(tenant(3)).to_string(),
        ),
        (TenantContextNotSetError.into(), TenantContextNotSetError.to_string()),
        (TenantId::parse("").expect_err("empty").into(), TenantId::parse("").expect_err("empty").to_string()),
    ];
    for (at, (error, own)) in errors.iter().enumerate() {
        assert_eq!(&error.to_string(), own);
        // The usual style of error texts, so that they read well within another message.
        assert!(own.starts_with(char::is_lowercase) && !own.ends_with('.'), "{own}");
        assert_eq!(at < 4, own.contains(tenant(3).to_text().as_str()), "{own}");
        assert_eq!(
            errors.iter().filter(|(_, other)| other == own).count(),
            1,
            "{own} is the text of only one error"
        );
        let _: &dyn std::error::Error = error;
    }
}

#[test]
fn types_have_the_documented_sizes() {
    assert_eq!((size_of::<TenantId>(), align_of::<TenantId>()), (16, 1));
    assert_eq!(size_of::<InvalidTenantIdError>(), 2);
    assert_eq!(size_of::<TenantContextNotSetError>(), 0);
    assert_eq!(size_of::<TenantNotFoundError>(), 16);
    assert_eq!(size_of::<UnauthorizedTenantAccessError>(), 16);
    assert_eq!(size_of::<TenantMismatchError>(), 32);
    assert_eq!(size_of::<TenantValidationError>(), 17);
    assert!(size_of::<TenantError>() <= 33);
    // The error does not enlarge a result.
    assert_eq!(size_of::<Result<TenantId, InvalidTenantIdError>>(), 17);
}

#[test]
fn future_in_a_tenant_is_16_bytes_larger() {
    fn sizes<F: Future>(future: F) -> (usize, usize) {
        let alone = size_of::<F>();
        let wrapped: InTenant<F> = future.in_tenant(TenantId::PLATFORM);
        (alone, size_of_val(&wrapped))
    }

    let (alone, wrapped) = sizes(std::future::ready(7_u32));
    assert_eq!(wrapped, alone + 16);
    let words = [1_u32; 10];
    let (alone, wrapped) = sizes(async move {
        std::future::ready(()).await;
        words.len()
    });
    assert_eq!(wrapped, alone + 16);
}

proptest! {
    #[test]
    fn any_bytes_parse_like_uuid(text in proptest::collection::vec(any::<u8>(), 0..=64)) {
        check(&text);
    }

    #[test]
    fn any_text_parses_like_uuid(text in "\\PC{0,48}") {
        check(text.as_bytes());
    }

    #[test]
    fn near_ids_parse_like_uuid(text in "(\\{|urn:uuid:)?[0-9a-fA-F]{7,9}(-?[0-9a-g]{4}){3}-?[0-9a-f]{11,13}\\}?") {
        check(text.as_bytes());
    }

    #[test]
    fn id_text_round_trips(bytes in any::<[u8; 16]>()) {
        if let Ok(id) = TenantId::from_bytes(bytes) {
            prop_assert_eq!(TenantId::parse(&id.to_text()), Ok(id));
            prop_assert_eq!(TenantId::parse(&id.simple().to_string()), Ok(id));
            prop_assert_eq!(id.to_string(), Uuid::from(id).to_string());
        }
    }
}
