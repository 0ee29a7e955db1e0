//! How values are written.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::EncodeError;

pub(super) mod sealed {
    use super::{DeserializeOwned, EncodeError, Serialize};

    pub trait Sealed {
        /// What a value of this form begins with.
        const TAG: u8;

        /// Adds the value to what is there.
        fn encode<T: Serialize + ?Sized>(value: &T, bytes: Vec<u8>) -> Result<Vec<u8>, EncodeError>;

        /// Nothing where the bytes are no such value, or more.
        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T>;
    }
}

/// How a cache writes its values. It is implemented here alone.
pub trait Codec: sealed::Sealed {}

/// Values as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Codec for Json {}

impl sealed::Sealed for Json {
    const TAG: u8 = b'j';

    fn encode<T: Serialize + ?Sized>(value: &T, mut bytes: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_writer(&mut bytes, value).map_err(EncodeError::new)?;
        Ok(bytes)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        serde_json::from_slice(bytes).ok()
    }
}
