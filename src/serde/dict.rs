//! The form `{"value": "550e8400-e29b-41d4-a716-446655440000"}`, for `#[serde(with = …)]`.
//!
//! ```
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Row {
//!     #[serde(with = "tenancy::serde::dict")]
//!     tenant: tenancy::TenantId,
//! }
//!
//! let row = Row { tenant: tenancy::TenantId::PLATFORM };
//! let text = serde_json::to_string(&row)?;
//! assert_eq!(text, r#"{"tenant":{"value":"00000000-0000-0000-0000-000000000001"}}"#);
//! assert_eq!(serde_json::from_str::<Row>(&text)?.tenant, row.tenant);
//! # Ok::<(), serde_json::Error>(())
//! ```

use core::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serializer};

use crate::TenantId;

const NAME: &str = "TenantId";
const FIELDS: &[&str] = &["value"];

/// Writes the id as `{"value": …}`.
///
/// # Errors
///
/// Returns the errors of the serializer.
pub fn serialize<S: Serializer>(tenant: &TenantId, serializer: S) -> Result<S::Ok, S::Error> {
    let mut dict = serializer.serialize_struct(NAME, 1)?;
    dict.serialize_field("value", tenant)?;
    dict.end()
}

/// Reads an id from `{"value": …}`.
///
/// # Errors
///
/// Returns the errors of the deserializer, and an error if `value` is missing, repeated, or not a tenant id.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TenantId, D::Error> {
    deserializer.deserialize_struct(NAME, FIELDS, Dict)
}

struct Dict;

impl<'de> Visitor<'de> for Dict {
    type Value = TenantId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with the tenant id as its `value`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TenantId, A::Error> {
        let mut value = None;
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Value if value.is_some() => return Err(A::Error::duplicate_field("value")),
                Key::Value => value = Some(map.next_value()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        value.ok_or_else(|| A::Error::missing_field("value"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<TenantId, A::Error> {
        fields.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))
    }
}

/// A field name. Implemented by hand, because a derive would be a dependency for one enum.
enum Key {
    Value,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(if name == "value" { Key::Value } else { Key::Other })
    }
}
