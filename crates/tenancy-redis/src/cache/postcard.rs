//! Values as postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{Codec, sealed::Sealed};
use super::error::EncodeError;

/// Encodes values with postcard, which is smaller and faster than JSON.
///
/// The bytes don't name their fields, so those of an older type may be read as another value. Where the type
/// changes, change the [namespace](super::TenantCache::namespace).
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl Codec for Postcard {}

impl Sealed for Postcard {
    const TAG: u8 = b'p';

    fn encode<T: Serialize + ?Sized>(value: &T, bytes: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        postcard::to_extend(value, bytes).map_err(EncodeError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        // `from_bytes` would take no offence at what follows the value.
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Some(value),
            _ => None,
        }
    }
}
