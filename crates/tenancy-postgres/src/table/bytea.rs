//! A `Vec<u8>` as a `bytea`: `#[serde(with = "tenancy_postgres::table::bytea")]`.
//!
//! ```
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct File {
//!     #[serde(with = "tenancy_postgres::table::bytea")]
//!     content: Vec<u8>,
//! }
//!
//! let json = serde_json::to_string(&File { content: vec![0, 255] })?;
//! assert_eq!(json, r#"{"content":"\\x00ff"}"#);
//! assert_eq!(serde_json::from_str::<File>(&json)?.content, [0, 255]);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes it as Postgres does by default, hexadecimal digits behind `\x`.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::from("\\x");
    for byte in bytes.as_ref() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    serializer.serialize_str(&text)
}

/// Reads the same.
///
/// # Errors
///
/// Where it is another form: a server may be told to write one, by its setting `bytea_output`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Hex)
}

struct Hex;

impl Visitor<'_> for Hex {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hexadecimal digits behind \\x")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        parse(text).ok_or_else(|| E::custom("not hexadecimal digits behind \\x"))
    }
}

fn parse(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = text.strip_prefix("\\x")?.as_bytes();
    if digits.len() % 2 == 1 {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_not_digits_is_refused() {
        assert_eq!(parse("\\x00fF10"), Some(vec![0, 255, 16]));
        assert_eq!(parse("\\x"), Some(vec![]));
        for text in ["", "00ff", "\\x0", "\\x0g", "\\x+1", "\\x\u{e9}", "a\\000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
