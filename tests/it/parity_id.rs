//! The tests of `TenantId` in the Python kernel, for this crate.
//!
//! The compiler checks two of the 13, "not equal to a string" and "immutable": see the documentation of
//! `TenantId`.

use std::collections::{BTreeSet, HashMap, HashSet};

use tenancy::{InvalidTenantIdKind, TenantId};
use uuid::Uuid;

const DASHED: &str = "550e8400-e29b-41d4-a716-446655440000";
const PLAIN: &str = "550e8400e29b41d4a716446655440000";
const OTHER: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

fn id(text: &str) -> TenantId {
    TenantId::parse(text).expect("a valid id")
}

#[test]
fn create_from_uuid() {
    let uuid = Uuid::try_parse(DASHED).expect("a valid uuid");
    let tenant = TenantId::try_from(uuid).expect("neither nil nor max");
    assert_eq!(tenant, id(DASHED));
    assert_eq!(tenant.as_bytes(), uuid.as_bytes());
    assert_eq!(Uuid::from(tenant), uuid);

    let nil = TenantId::try_from(Uuid::nil()).expect_err("nil is refused");
    assert_eq!(nil.kind(), InvalidTenantIdKind::Nil);
    let max = TenantId::try_from(Uuid::max()).expect_err("max is refused");
    assert_eq!(max.kind(), InvalidTenantIdKind::Max);
}

#[test]
fn from_string_with_dashes() {
    assert_eq!(id(DASHED).to_text(), DASHED);
    assert_eq!(DASHED.parse(), Ok(id(DASHED)));
    assert_eq!(TenantId::try_from(DASHED), Ok(id(DASHED)));
    assert_eq!(TenantId::try_from(DASHED.as_bytes()), Ok(id(DASHED)));
}

#[test]
fn from_string_without_dashes() {
    assert_eq!(id(PLAIN), id(DASHED));
    // The bytes do not store the spelling, so both print with dashes.
    assert_eq!(id(PLAIN).to_string(), DASHED);
    assert_eq!(id(DASHED).simple().to_string(), PLAIN);
}

#[test]
fn from_string_of_an_invalid_string_is_an_error() {
    for (text, kind) in [
        ("", InvalidTenantIdKind::Empty),
        ("invalid-uuid", InvalidTenantIdKind::Length),
        ("not-a-uuid-but-it-has-36-characters!", InvalidTenantIdKind::Character),
        ("550e8400-e29b-41d4-a716_446655440000", InvalidTenantIdKind::Hyphen),
        ("00000000-0000-0000-0000-000000000000", InvalidTenantIdKind::Nil),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", InvalidTenantIdKind::Max),
    ] {
        let error = TenantId::parse(text).expect_err(text);
        assert_eq!(error.kind(), kind, "{text}");
    }
}

#[test]
fn equality_is_by_value() {
    assert_eq!(id(DASHED), id(DASHED));
    assert_eq!(id(DASHED), id(&DASHED.to_uppercase()));
}

#[test]
fn different_ids_are_not_equal() {
    assert_ne!(id(DASHED), id(OTHER));
    assert!(id(DASHED) < id(OTHER), "ordered as their bytes are");
}

#[test]
fn hashable_as_a_map_key_and_once_in_a_set() {
    let names = HashMap::from([(id(DASHED), "one"), (id(OTHER), "other")]);
    assert_eq!(names.get(&id(PLAIN)), Some(&"one"));
    assert_eq!(HashSet::from([id(DASHED), id(PLAIN), id(OTHER)]).len(), 2);
    assert_eq!(BTreeSet::from([id(DASHED), id(PLAIN), id(OTHER)]).len(), 2);
}

#[test]
fn immutable_so_a_copy_of_its_bytes_changes_nothing() {
    let tenant = id(DASHED);
    let mut bytes = *tenant.as_bytes();
    bytes[0] ^= 0xff;
    assert_ne!(TenantId::from_bytes(bytes), Ok(tenant));
    assert_eq!(tenant, id(DASHED));
}

#[test]
fn str_is_the_dashed_text() {
    assert_eq!(id(DASHED).to_string(), DASHED);
    assert_eq!(format!("{:>38}|{:<38}|", id(DASHED), id(DASHED)), format!("  {DASHED}|{DASHED}  |"));
    let mut buffer = [0; 36];
    assert_eq!(id(DASHED).encode(&mut buffer), DASHED);
}

#[test]
fn repr_names_the_type() {
    assert_eq!(format!("{:?}", id(PLAIN)), format!("TenantId('{DASHED}')"));
}

#[test]
fn platform_tenant() {
    assert_eq!(TenantId::PLATFORM.to_text(), "00000000-0000-0000-0000-000000000001");
    assert!(TenantId::PLATFORM.is_platform());
    assert!(!id(DASHED).is_platform());
    assert_eq!(tenancy::tenant_id!("00000000-0000-0000-0000-000000000001"), TenantId::PLATFORM);
}

#[cfg(feature = "serde")]
#[test]
fn to_dict_from_dict_round_trip() {
    let mut text = Vec::new();
    tenancy::serde::dict::serialize(&id(DASHED), &mut serde_json::Serializer::new(&mut text))
        .expect("a vector takes it");
    assert_eq!(text, format!(r#"{{"value":"{DASHED}"}}"#).into_bytes());

    let back = tenancy::serde::dict::deserialize(&mut serde_json::Deserializer::from_slice(&text));
    assert_eq!(back.expect("what was written"), id(DASHED));
}
