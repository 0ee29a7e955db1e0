//! `TenantId` in human-readable and binary formats.

use serde::{Deserialize, Serialize};
use tenancy::TenantId;

const TEXT: &str = "550e8400-e29b-41d4-a716-446655440000";

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Row {
    #[serde(with = "tenancy::serde::dict")]
    tenant: TenantId,
}

fn id() -> TenantId {
    TenantId::parse(TEXT).expect("a valid id")
}

fn refusal<'a, T: Deserialize<'a> + std::fmt::Debug>(json: &'a str) -> String {
    serde_json::from_str::<T>(json).expect_err(json).to_string()
}

#[test]
fn json_is_a_string() {
    assert_eq!(serde_json::to_string(&id()).expect("json"), format!("\"{TEXT}\""));
    for text in [TEXT, "550E8400E29B41D4A716446655440000", "{550e8400-e29b-41d4-a716-446655440000}"] {
        assert_eq!(serde_json::from_str::<TenantId>(&format!("\"{text}\"")).expect(text), id());
    }
    // An escape makes the deserializer pass an owned string instead of a slice of the input.
    let escaped = format!("\"\\u0035{}\"", &TEXT[1..]);
    assert_eq!(serde_json::from_str::<TenantId>(&escaped).expect("escaped"), id());
    assert_eq!(serde_json::from_reader::<_, TenantId>(format!("\"{TEXT}\"").as_bytes()).expect("read"), id());
}

#[test]
fn json_map_key_is_a_string() {
    let map = std::collections::BTreeMap::from([(id(), 1)]);
    let text = serde_json::to_string(&map).expect("json");
    assert_eq!(text, format!("{{\"{TEXT}\":1}}"));
    assert_eq!(serde_json::from_str::<std::collections::BTreeMap<TenantId, i32>>(&text).expect("a map"), map);
}

#[test]
fn postcard_is_sixteen_bytes_after_their_length() {
    let bytes = postcard::to_stdvec(&id()).expect("postcard");
    assert_eq!((bytes.len(), bytes[0]), (17, 16));
    assert_eq!(&bytes[1..], id().as_bytes());
    assert_eq!(postcard::from_bytes::<TenantId>(&bytes).expect("what was written"), id());
}

#[test]
fn postcard_rejects_other_lengths_and_reserved_ids() {
    for length in [0_u8, 1, 15, 17, 32] {
        let mut bytes = vec![length];
        bytes.extend((0..length).map(|at| at + 1));
        postcard::from_bytes::<TenantId>(&bytes).expect_err("not 16 bytes");
    }
    let mut reserved = vec![16];
    reserved.extend([0; 16]);
    postcard::from_bytes::<TenantId>(&reserved).expect_err("nil");
    reserved[1..].fill(0xff);
    postcard::from_bytes::<TenantId>(&reserved).expect_err("max");
    let mut cut = postcard::to_stdvec(&id()).expect("postcard");
    cut.truncate(12);
    postcard::from_bytes::<TenantId>(&cut).expect_err("the end is missing");
}

#[test]
fn dict_is_a_map_with_one_value() {
    let row = Row { tenant: id() };
    let text = serde_json::to_string(&row).expect("json");
    assert_eq!(text, format!("{{\"tenant\":{{\"value\":\"{TEXT}\"}}}}"));
    assert_eq!(serde_json::from_str::<Row>(&text).expect("what was written"), row);

    let bytes = postcard::to_stdvec(&row).expect("postcard");
    assert_eq!(bytes.len(), 17, "a struct of one field costs nothing");
    assert_eq!(postcard::from_bytes::<Row>(&bytes).expect("what was written"), row);
}

#[test]
fn dict_ignores_other_fields() {
    for json in [
        format!(r#"{{"tenant":{{"a":[1,{{"value":2}}],"value":"{TEXT}","b":null}}}}"#),
        format!(r#"{{"tenant":{{"Value":"x","value":"{TEXT}"}}}}"#),
    ] {
        assert_eq!(serde_json::from_str::<Row>(&json).expect(&json), Row { tenant: id() });
    }
}

#[test]
fn dict_rejects_missing_repeated_and_wrong_values() {
    assert!(refusal::<Row>(r#"{"tenant":{}}"#).starts_with("missing field `value`"));
    assert!(refusal::<Row>(r#"{"tenant":{"other":1}}"#).starts_with("missing field `value`"));
    let twice = format!(r#"{{"tenant":{{"value":"{TEXT}","value":"{TEXT}"}}}}"#);
    assert!(refusal::<Row>(&twice).starts_with("duplicate field `value`"));
    assert!(refusal::<Row>(r#"{"tenant":{"value":null}}"#).contains("a tenant id as text or 16 bytes"));
    // The plain form is not the dict form.
    refusal::<Row>(&format!(r#"{{"tenant":"{TEXT}"}}"#));
    refusal::<Row>(r#"{"tenant":[]}"#);
}

#[test]
fn rejects_reserved_and_malformed_texts() {
    assert!(refusal::<TenantId>("\"00000000-0000-0000-0000-000000000000\"").contains("all bytes are zero"));
    assert!(refusal::<TenantId>("\"ffffffffffffffffffffffffffffffff\"").contains("all bytes are 0xff"));
    assert!(refusal::<TenantId>("\"\"").contains("the text is empty"));
    assert!(refusal::<TenantId>("\"550e8400-e29b-41d4-a716-44665544000g\"").contains("byte 35"));
    for json in ["null", "true", "[]", "{}", "[85,14,132,0,226,155,65,212,167,22,68,102,85,68,0,0]"] {
        assert!(refusal::<TenantId>(json).contains("expected a tenant id as text"), "{json}");
    }
}

/// For a value that is not a string, `serde_json` itself names the value.
#[test]
fn errors_do_not_repeat_the_text() {
    for text in ["hunter2", "hunter2-hunter2-hunter2-hunter2-xyz!", "{hunter2-hunter2-hunter2-hunter2-xyz}"] {
        for error in [
            refusal::<TenantId>(&format!("\"{text}\"")),
            refusal::<Row>(&format!(r#"{{"tenant":{{"value":"{text}"}}}}"#)),
            refusal::<Row>(&format!(r#"{{"tenant":{{"{text}":"{text}"}}}}"#)),
        ] {
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

/// The shapes for which serde buffers a value before it knows its type.
mod buffered {
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};
    use tenancy::TenantId;

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    #[serde(untagged)]
    enum Untagged {
        Tenant(TenantId),
        Name(String),
        Bytes(Vec<u8>),
    }

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    #[serde(tag = "kind")]
    enum Tagged {
        Tenant { tenant: TenantId },
    }

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    struct Inner {
        tenant: TenantId,
    }

    #[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
    struct Flattened {
        number: u8,
        #[serde(flatten)]
        inner: Inner,
    }

    /// A record of a program that writes ids as text.
    #[derive(Serialize)]
    struct TextRecord {
        tenant: String,
    }

    fn cbor<T: Serialize, U: DeserializeOwned>(value: &T) -> U {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).expect("CBOR");
        ciborium::from_reader(bytes.as_slice()).expect("what was written")
    }

    fn message_pack<T: Serialize, U: DeserializeOwned>(value: &T) -> U {
        let bytes = rmp_serde::to_vec_named(value).expect("MessagePack");
        rmp_serde::from_slice(&bytes).expect("what was written")
    }

    fn json<T: Serialize, U: DeserializeOwned>(value: &T) -> U {
        serde_json::from_str(&serde_json::to_string(value).expect("JSON")).expect("what was written")
    }

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        assert_eq!(&json::<_, T>(value), value, "JSON");
        assert_eq!(&cbor::<_, T>(value), value, "CBOR");
        assert_eq!(&message_pack::<_, T>(value), value, "MessagePack");
    }

    fn ids() -> impl Strategy<Value = TenantId> {
        any::<[u8; 16]>().prop_filter_map("nil or max", |bytes| TenantId::from_bytes(bytes).ok())
    }

    proptest! {
        #[test]
        fn every_shape_returns_the_same_tenant(tenant in ids()) {
            round_trip(&tenant);
            round_trip(&Untagged::Tenant(tenant));
            round_trip(&Tagged::Tenant { tenant });
            round_trip(&Flattened { number: 7, inner: Inner { tenant } });
        }

        #[test]
        fn binary_formats_accept_text(tenant in ids()) {
            let record = TextRecord { tenant: tenant.to_string() };
            // ciborium itself rejects text for a field that is not buffered and expects bytes.
            prop_assert_eq!(message_pack::<_, Inner>(&record), Inner { tenant });
            prop_assert_eq!(cbor::<_, Untagged>(&record.tenant), Untagged::Tenant(tenant));
            prop_assert_eq!(message_pack::<_, Untagged>(&record.tenant), Untagged::Tenant(tenant));
        }
    }

    #[test]
    fn buffered_reserved_ids_are_not_tenants() {
        for byte in [0, 0xff] {
            let bytes = ciborium::Value::Bytes(vec![byte; 16]);
            let mut written = Vec::new();
            ciborium::into_writer(&bytes, &mut written).expect("CBOR");
            ciborium::from_reader::<TenantId, _>(written.as_slice()).expect_err("reserved");
            let read = ciborium::from_reader::<Untagged, _>(written.as_slice());
            assert!(!matches!(read, Ok(Untagged::Tenant(_))), "{read:?}");
        }
    }
}
