//! What is kept at a key.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::Codec;
use super::error::EncodeError;

/// A value with the tag of its form, or that there is none: no copy for each who waits.
pub(super) type Bytes = Arc<Vec<u8>>;

/// That there is no value. No form has this tag.
const NEGATIVE: u8 = b'-';

/// What a cache has at a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lookup<T> {
    /// A value.
    Hit(T),
    /// That there is no value.
    Negative,
    /// Nothing, or nothing that can be read.
    Miss,
}

impl<T> Lookup<T> {
    /// The value, if there is one.
    pub fn hit(self) -> Option<T> {
        match self {
            Self::Hit(value) => Some(value),
            Self::Negative | Self::Miss => None,
        }
    }

    /// What a loader would have said, if it is known.
    #[allow(clippy::option_option, reason = "that there is none is known, too")]
    pub(super) fn known(self) -> Option<Option<T>> {
        match self {
            Self::Hit(value) => Some(Some(value)),
            Self::Negative => Some(None),
            Self::Miss => None,
        }
    }
}

pub(super) fn encode<K: Codec, T: Serialize + ?Sized>(value: Option<&T>) -> Result<Bytes, EncodeError> {
    let bytes = match value {
        Some(value) => K::encode(value, vec![K::TAG])?,
        None => vec![NEGATIVE],
    };
    Ok(Arc::new(bytes))
}

pub(super) fn decode<K: Codec, T: DeserializeOwned>(bytes: &[u8]) -> Lookup<T> {
    match bytes {
        [NEGATIVE] => Lookup::Negative,
        [tag, value @ ..] if *tag == K::TAG => K::decode(value).map_or(Lookup::Miss, Lookup::Hit),
        _ => Lookup::Miss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Json;

    fn through<T: Serialize + DeserializeOwned>(value: Option<&T>) -> Lookup<T> {
        decode::<Json, T>(&encode::<Json, T>(value).expect("encodes"))
    }

    #[test]
    fn none_is_no_value_and_no_miss() {
        assert_eq!(through(Some(&7)), Lookup::Hit(7));
        assert_eq!(through::<u8>(None), Lookup::Negative);
        assert_eq!(through(Some(&None::<u8>)), Lookup::Hit(None));
        assert_eq!(through(Some(&())), Lookup::Hit(()));
    }

    #[test]
    fn what_is_no_entry_is_a_miss() {
        for bytes in [&b""[..], b"7", b"--", b"-7", b"j", b"j7 7", b"j\"7\"", b"p\x07", b"\xff"] {
            assert_eq!(decode::<Json, u8>(bytes), Lookup::Miss, "{:?}", bytes.escape_ascii());
        }
    }
}
