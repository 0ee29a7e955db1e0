//! One parser for the four text forms of an id.

use super::TenantId;
use crate::error::{InvalidTenantIdError, InvalidTenantIdKind as Kind};

const SIMPLE: usize = 32;
const HYPHENATED: usize = 36;
const BRACED: usize = 38;
const URN: usize = 45;
const URN_PREFIX: &[u8; 9] = b"urn:uuid:";

impl TenantId {
    /// Reads an id in any of the forms that RFC 9562 tools write, in upper or lower case.
    ///
    /// | form | bytes | example |
    /// | --- | --- | --- |
    /// | hyphenated | 36 | `550e8400-e29b-41d4-a716-446655440000` |
    /// | simple | 32 | `550e8400e29b41d4a716446655440000` |
    /// | braced | 38 | `{550e8400-e29b-41d4-a716-446655440000}` |
    /// | URN | 45 | `urn:uuid:550e8400-e29b-41d4-a716-446655440000` |
    ///
    /// # Errors
    ///
    /// What is wrong and where, never the text itself: see [`InvalidTenantIdKind`](Kind).
    pub const fn parse(text: &str) -> Result<Self, InvalidTenantIdError> {
        Self::parse_ascii(text.as_bytes())
    }

    /// Reads an id like [`parse`](Self::parse), from bytes that need not be UTF-8: a header's value.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub const fn parse_ascii(text: &[u8]) -> Result<Self, InvalidTenantIdError> {
        let Some(digits) = digits(text) else { return Err(explain(text)) };
        let Some(bytes) = decode(&digits) else { return Err(explain(text)) };
        Self::from_bytes(bytes)
    }
}

/// The 32 digits of any form, gathered; `None` where what stands around or between them is wrong.
#[inline]
const fn digits(text: &[u8]) -> Option<[u8; 32]> {
    let body = match text.len() {
        SIMPLE => return text.first_chunk().copied(),
        HYPHENATED => text.first_chunk(),
        BRACED if matches!(text, [b'{', .., b'}']) => text.split_at(1).1.first_chunk(),
        URN if is_urn(text) => text.last_chunk(),
        _ => None,
    };
    match body {
        Some(body) if is_hyphenated(body) => Some(gather(body)),
        _ => None,
    }
}

const fn is_urn(text: &[u8]) -> bool {
    let mut at = 0;
    while at < URN_PREFIX.len() {
        if at >= text.len() || text[at].to_ascii_lowercase() != URN_PREFIX[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[inline]
const fn is_hyphenated(body: &[u8; HYPHENATED]) -> bool {
    u32::from_ne_bytes([body[8], body[13], body[18], body[23]]) == u32::from_ne_bytes([b'-'; 4])
}

#[inline]
const fn gather(body: &[u8; HYPHENATED]) -> [u8; 32] {
    let mut digits = [0; 32];
    let (first, rest) = digits.split_at_mut(8);
    let (second, rest) = rest.split_at_mut(4);
    let (third, rest) = rest.split_at_mut(4);
    let (fourth, fifth) = rest.split_at_mut(4);
    first.copy_from_slice(body.split_at(8).0);
    second.copy_from_slice(body.split_at(9).1.split_at(4).0);
    third.copy_from_slice(body.split_at(14).1.split_at(4).0);
    fourth.copy_from_slice(body.split_at(19).1.split_at(4).0);
    fifth.copy_from_slice(body.split_at(24).1);
    digits
}

/// The bytes that 32 digits stand for. No branch depends on a digit, so that a compiler can make vector
/// code of the loops and bad input takes no longer than good.
#[inline]
const fn decode(digits: &[u8; 32]) -> Option<[u8; 16]> {
    let mut values = [0; 32];
    let mut bad = 0;
    let mut at = 0;
    while at < 32 {
        let (value, wrong) = hex_value(digits[at]);
        values[at] = value;
        bad |= wrong;
        at += 1;
    }
    let mut bytes = [0; 16];
    let mut at = 0;
    while at < 16 {
        bytes[at] = values[2 * at] << 4 | values[2 * at + 1];
        at += 1;
    }
    if bad == 0 { Some(bytes) } else { None }
}

/// The value of a hexadecimal digit, and non-zero beside it where the byte is none.
#[inline]
#[allow(clippy::needless_bitwise_bool, reason = "the point is that nothing branches")]
const fn hex_value(byte: u8) -> (u8, u8) {
    let digit = byte.wrapping_sub(b'0');
    let letter = (byte | 0x20).wrapping_sub(b'a');
    let value = if digit < 10 { digit } else { letter.wrapping_add(10) };
    (value, ((digit >= 10) & (letter >= 6)) as u8)
}

/// Finds what is wrong with a text that was refused: its first fault, from left to right.
#[cold]
#[inline(never)]
const fn explain(text: &[u8]) -> InvalidTenantIdError {
    let (open, hyphens) = match text.len() {
        0 => return InvalidTenantIdError::new(Kind::Empty, 0),
        SIMPLE => (0, false),
        HYPHENATED => (0, true),
        BRACED => (1, true),
        URN => (URN_PREFIX.len(), true),
        length => return InvalidTenantIdError::new(Kind::Length, length),
    };
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let fault = if at < open {
            let expected = if text.len() == URN { URN_PREFIX[at] } else { b'{' };
            (byte.to_ascii_lowercase() != expected, Kind::Character)
        } else if text.len() == BRACED && at == BRACED - 1 {
            (byte != b'}', Kind::Character)
        } else if hyphens && matches!(at - open, 8 | 13 | 18 | 23) {
            (byte != b'-', Kind::Hyphen)
        } else if byte == b'-' {
            (true, Kind::Hyphen)
        } else {
            (hex_value(byte).1 != 0, Kind::Character)
        };
        if let (true, kind) = fault {
            return InvalidTenantIdError::new(kind, at);
        }
        at += 1;
    }
    InvalidTenantIdError::new(Kind::Length, text.len())
}
