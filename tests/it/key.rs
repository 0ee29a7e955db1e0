//! Keys: injective, reversible, and separate for each tenant.

use proptest::prelude::*;
use tenancy::{
    TenantContext, TenantContextNotSetError, TenantId, TenantKey, TenantKeyError, TenantMismatchError,
    TenantPrefix, TenantTopic, tenant_id,
};

use crate::support::{alone, tenant};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const PREFIX: &[u8; 35] = b"t:550e8400e29b41d4a716446655440000:";

type Key = TenantKey<128>;

fn any_tenant() -> impl Strategy<Value = TenantId> {
    any::<[u8; 16]>().prop_filter_map("neither nil nor all ones", |bytes| TenantId::from_bytes(bytes).ok())
}

/// Includes keys that look like prefixes.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let looks_prefixed = any_tenant().prop_map(|id| Key::new(id, b"k").unwrap().as_bytes().to_vec());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "[t:/0-9a-f]{0,60}".prop_map(Vec::from),
        looks_prefixed
    ]
}

proptest! {
    #[test]
    fn key_is_reversible(id in any_tenant(), key in any_key()) {
        let whole = Key::new(id, &key).unwrap();
        prop_assert_eq!(whole.tenant(), id);
        prop_assert_eq!(whole.key(), &key[..]);
        prop_assert_eq!(Key::strip(id, whole.as_bytes()), Ok(&key[..]));
        prop_assert_eq!(Key::parse(whole.as_bytes()), Ok(whole));
    }

    #[test]
    fn key_is_injective(ids in [any_tenant(), any_tenant()], keys in [any_key(), any_key()]) {
        let whole = |id, key: &[u8]| Key::new(id, key).unwrap().as_bytes().to_vec();
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let equal = whole(ids[0], &keys[0]) == whole(ids[a], &keys[b]);
            prop_assert_eq!(equal, ids[0] == ids[a] && keys[0] == keys[b]);
        }
    }

    #[test]
    fn parsed_key_equals_its_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(key) = Key::parse(&bytes) {
            prop_assert_eq!(key.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn strip_rejects_another_tenants_key(ids in [any_tenant(), any_tenant()], key in any_key()) {
        prop_assume!(ids[0] != ids[1]);
        let whole = Key::new(ids[1], &key).unwrap();
        prop_assert_eq!(
            Key::strip(ids[0], whole.as_bytes()),
            Err(TenantKeyError::TenantMismatch(TenantMismatchError::new(ids[0], ids[1])))
        );
    }

    #[test]
    fn filter_matches_no_topic_of_another_tenant(
        ids in [any_tenant(), any_tenant()],
        filter in "(([+#a]|\\$SYS|)/){0,3}([+#a]|)",
        topic in "([a/$]){0,6}",
    ) {
        prop_assume!(ids[0] != ids[1]);
        let filter = TenantTopic::<128>::new(ids[0], filter.as_bytes()).unwrap();
        let topic = TenantTopic::<128>::new(ids[1], topic.as_bytes()).unwrap();
        prop_assert!(!filter_matches(filter.as_bytes(), topic.as_bytes()));
    }
}

/// A simple implementation of MQTT 5, section 4.7.
fn filter_matches(filter: &[u8], topic: &[u8]) -> bool {
    let mut topic = topic.split(|byte| *byte == b'/');
    for level in filter.split(|byte| *byte == b'/') {
        match (level, topic.next()) {
            (b"#", _) => return true,
            (b"+", Some(_)) => {}
            (level, Some(found)) if level == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[test]
fn filter_matches_its_own_topics() {
    let topic = |text: &[u8]| TenantTopic::<64>::new(ACME, text).unwrap();
    for (filter, matched) in
        [(&b"#"[..], true), (b"+/b", true), (b"+", false), (b"a/b", true), (b"b/#", false)]
    {
        assert_eq!(filter_matches(topic(filter).as_bytes(), topic(b"a/b").as_bytes()), matched, "{filter:?}");
    }
}

#[test]
fn rejects_keys_that_are_too_long() {
    assert_eq!(TenantKey::<40>::new(ACME, b"12345").unwrap().key(), b"12345");
    assert_eq!(TenantKey::<40>::new(ACME, b"123456"), Err(TenantKeyError::TooLong));
    assert_eq!(TenantKey::<35>::new(ACME, b"").unwrap().as_bytes(), PREFIX);
    assert_eq!(TenantKey::<34>::new(ACME, b""), Err(TenantKeyError::TooLong));
    assert_eq!(TenantKey::<35>::parse(&[&PREFIX[..], b"1"].concat()), Err(TenantKeyError::TooLong));
}

#[test]
fn rejects_keys_without_the_canonical_prefix() {
    let upper = PREFIX.to_ascii_uppercase();
    let mut middle = *PREFIX;
    middle[20] = b'G';
    let [mut first, mut second, mut last] = [*PREFIX; 3];
    (first[0], second[1], last[34]) = (b'u', b'/', b'/');
    let digits_upper = [b"t:", &upper[2..]].concat();
    let nil = [b"t:", &[b'0'; 32][..], b":"].concat();
    let max = [b"t:", &[b'f'; 32][..], b":"].concat();
    let short = &PREFIX[..34];
    for full in
        [&b""[..], b"k", short, &upper, &digits_upper, &middle, &first, &second, &last, &nil, &max, b"t:*:k"]
    {
        assert_eq!(Key::strip(ACME, full), Err(TenantKeyError::Unprefixed), "{full:?}");
        assert_eq!(Key::parse(full), Err(TenantKeyError::Unprefixed), "{full:?}");
    }
}

#[test]
fn topic_is_not_a_key() {
    let topic = TenantTopic::<64>::new(ACME, b"k").unwrap();
    assert_eq!(Key::strip(ACME, topic.as_bytes()), Err(TenantKeyError::Unprefixed));
    assert_eq!(topic.as_bytes(), b"t/550e8400e29b41d4a716446655440000/k");
}

#[test]
fn prefix_equals_the_empty_key() {
    assert_eq!(TenantPrefix::<b':'>::new(ACME).as_bytes(), PREFIX);
    let (prefix, key) = TenantPrefix::<b':'>::split(b"t:550e8400e29b41d4a716446655440000:t:").unwrap();
    assert_eq!((prefix.tenant(), key), (ACME, &b"t:"[..]));
}

#[test]
fn current_key_uses_the_contexts_tenant() {
    let _alone = alone();
    let key = TenantContext::scope(ACME, || Key::current(b"k"));
    assert_eq!(key, Key::new(ACME, b"k"));
    assert_eq!(Key::current(b"k"), Err(TenantKeyError::TenantContextNotSet(TenantContextNotSetError)));
}

#[test]
fn debug_and_errors_do_not_show_the_key() {
    let key = Key::new(ACME, b"secret").unwrap();
    let expected = "TenantKey { tenant: TenantId('550e8400-e29b-41d4-a716-446655440000'), length: 6, .. }";
    assert_eq!(format!("{key:?}"), expected);
    let error = Key::strip(tenant(1), key.as_bytes()).unwrap_err();
    for shown in [format!("{error:?}"), error.to_string()] {
        assert!(!shown.contains("550e8400") && !shown.contains("secret"), "{shown}");
    }
}
