//! A `Vec<u8>` in a column of type `bytea`: `#[serde(with = "tenancy_postgres::table::bytea")]`.
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

/// Writes bytes as Postgres does by default: `\x` and hexadecimal digits.
///
/// # Errors
///
/// Returns the errors of the serializer.
pub fn serialize<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::from("\\x");
    for byte in bytes.as_ref() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    serializer.serialize_str(&text)
}

/// Reads bytes from `\x` and hexadecimal digits.
///
/// # Errors
///
/// Returns an error if the text has another form, which the server writes if its setting `bytea_output` is `escape`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Hex)
}

struct Hex;

impl Visitor<'_> for Hex {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\\x and hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        parse(text).ok_or_else(|| E::custom("expected \\x and hexadecimal digits"))
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
    fn rejects_text_without_hexadecimal_digits() {
        assert_eq!(parse("\\x00fF10"), Some(vec![0, 255, 16]));
        assert_eq!(parse("\\x"), Some(vec![]));
        for text in ["", "00ff", "\\x0", "\\x0g", "\\x+1", "\\x\u{e9}", "a\\000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
