//! Serialization of a [`TenantId`]: a string where the format is human-readable, 16 bytes where not.
//!
//! [`dict`] is the form `{"value": "…"}` that the Python kernel's `to_dict` writes.

use core::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::TenantId;

pub mod dict;

impl Serialize for TenantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.encode(&mut [0; 36]))
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Text)
        } else {
            deserializer.deserialize_bytes(Bytes)
        }
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = TenantId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tenant id as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TenantId, E> {
        TenantId::parse_fast(text.as_bytes()).map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<TenantId, E> {
        TenantId::parse_fast(text).map_err(E::custom)
    }
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = TenantId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the 16 bytes of a tenant id")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<TenantId, E> {
        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
        TenantId::from_bytes(bytes).map_err(E::custom)
    }

    /// Some binary formats hand bytes over one at a time.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<TenantId, A::Error> {
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = sequence.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        TenantId::from_bytes(bytes).map_err(A::Error::custom)
    }
}
