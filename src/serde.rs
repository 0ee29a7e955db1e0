//! Serialization of a [`TenantId`]: a string in human-readable formats, 16 bytes in other formats.
//!
//! [`dict`] is the form `{"value": "…"}` that the Python kernel's `to_dict` writes.
//!
//! An untagged or internally tagged enum and a flattened struct buffer their fields. In a self-describing binary
//! format, such as `MessagePack` or CBOR, the buffer presents itself as human-readable although it contains bytes.
//! Text and 16 bytes are therefore accepted in both kinds of formats.
//!
//! `ciborium` itself rejects text for a field that is read as bytes and is not buffered.

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
        f.write_str("a tenant id as text or 16 bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TenantId, E> {
        TenantId::parse_fast(text.as_bytes()).map_err(E::custom)
    }

    /// Reads a buffered value of a binary format, or text that is passed as bytes.
    ///
    /// No text form has 16 bytes, so the length distinguishes the two.
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<TenantId, E> {
        match bytes.try_into() {
            Ok(bytes) => TenantId::from_bytes(bytes),
            Err(_) => TenantId::parse_fast(bytes),
        }
        .map_err(E::custom)
    }
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = TenantId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tenant id as 16 bytes or text")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<TenantId, E> {
        let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
        TenantId::from_bytes(bytes).map_err(E::custom)
    }

    /// Reads text in a self-describing binary format, for example from another program.
    fn visit_str<E: Error>(self, text: &str) -> Result<TenantId, E> {
        TenantId::parse_fast(text.as_bytes()).map_err(E::custom)
    }

    /// Reads the bytes one at a time, as some binary formats pass them.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<TenantId, A::Error> {
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = sequence.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        TenantId::from_bytes(bytes).map_err(A::Error::custom)
    }
}
