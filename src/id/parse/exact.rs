//! A parser that makes one pass from left to right, and stops at the first fault.

use super::layout::{BRACED, HYPHENATED, SIMPLE, URN, URN_PREFIX, hex_value};
use crate::error::{InvalidTenantIdError, InvalidTenantIdKind as Kind};

/// The digits before which the hyphenated form has a hyphen, one bit for each digit.
const HYPHENS: u32 = 1 << 8 | 1 << 12 | 1 << 16 | 1 << 20;

/// Returns the bytes of an id's text, or its first fault.
pub(in crate::id) const fn decode(text: &[u8]) -> Result<[u8; 16], InvalidTenantIdError> {
    let (mut prefix, mut hyphens): (&[u8], u32) = match text.len() {
        0 => return Err(InvalidTenantIdError::new(Kind::Empty, 0)),
        SIMPLE => (b"", 0),
        HYPHENATED => (b"", HYPHENS),
        BRACED => (b"{", HYPHENS),
        URN => (URN_PREFIX, HYPHENS),
        length => return Err(InvalidTenantIdError::new(Kind::Length, length)),
    };
    // The position follows from the length of the rest.
    let mut rest = text;
    // Words, because an index into 16 bytes may be checked, and a check may panic. The second 16 digits push the
    // first ones out of the low one.
    let (mut high, mut low) = (0_u64, 0_u64);
    let mut read = 0;
    let kind = loop {
        let [byte, after @ ..] = rest else { return Ok(((high as u128) << 64 | low as u128).to_be_bytes()) };
        let byte = *byte;
        if let [expected, others @ ..] = prefix {
            if byte.to_ascii_lowercase() != *expected {
                break Kind::Character;
            }
            prefix = others;
        } else if hyphens >> (read & 31) & 1 == 1 {
            if byte != b'-' {
                break Kind::Hyphen;
            }
            hyphens &= hyphens - 1;
        } else if read == 32 {
            // Only the braced form continues.
            if byte != b'}' {
                break Kind::Character;
            }
        } else {
            let (value, wrong) = hex_value(byte);
            if wrong {
                break if byte == b'-' { Kind::Hyphen } else { Kind::Character };
            }
            low = low << 4 | value as u64;
            read += 1;
            if read == 16 {
                high = low;
            }
        }
        rest = after;
    };
    Err(InvalidTenantIdError::new(kind, text.len() - rest.len()))
}
