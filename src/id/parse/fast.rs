//! Hosts: decodes 32 digits in one loop without a branch, which a compiler vectorizes. The fault of an invalid text is
//! searched for afterwards.

use super::exact;
use super::layout::{BRACED, HYPHENATED, SIMPLE, URN, URN_PREFIX, hex_value};
use crate::error::{InvalidTenantIdError, InvalidTenantIdKind as Kind};

/// The value of a rejected text. If that text has no fault, it is the nil id, which is rejected, too.
const NONE: u128 = 0;

#[inline]
const fn refuse(fault: Option<InvalidTenantIdError>) -> Result<[u8; 16], InvalidTenantIdError> {
    match fault {
        Some(fault) => Err(fault),
        None => Ok([0; 16]),
    }
}

/// Returns the bytes of an id's text, or its first fault.
#[inline]
pub(super) const fn decode(text: &[u8]) -> Result<[u8; 16], InvalidTenantIdError> {
    if text.len() != HYPHENATED {
        return other_form(text);
    }
    body_of(text, text.first_chunk())
}

#[inline(never)]
const fn other_form(text: &[u8]) -> Result<[u8; 16], InvalidTenantIdError> {
    if let (SIMPLE, Some(digits)) = (text.len(), text.first_chunk()) {
        return match simple(digits) {
            NONE => refuse(fault_of_digits(digits)),
            bytes => Ok(bytes.to_ne_bytes()),
        };
    }
    let body = match text.len() {
        BRACED if matches!(text, [b'{', .., b'}']) => text.split_at(1).1.first_chunk(),
        URN if is_urn(text) => text.last_chunk(),
        _ => None,
    };
    body_of(text, body)
}

#[inline]
const fn body_of(text: &[u8], body: Option<&[u8; HYPHENATED]>) -> Result<[u8; 16], InvalidTenantIdError> {
    match body {
        Some(body) => match hyphenated(body) {
            NONE => refuse(fault_of_body(body, text.len())),
            bytes => Ok(bytes.to_ne_bytes()),
        },
        // The length, the braces or the prefix are wrong.
        None => exact::decode(text),
    }
}

const fn is_urn(text: &[u8]) -> bool {
    let Some(prefix) = text.first_chunk::<9>() else { return false };
    let mut equal = true;
    let mut at = 0;
    while at < prefix.len() {
        equal &= prefix[at].eq_ignore_ascii_case(&URN_PREFIX[at]);
        at += 1;
    }
    equal
}

/// Not inlined: inlined, the compiler splits the digits again, and the code takes three times as long.
#[inline(never)]
const fn hyphenated(body: &[u8; HYPHENATED]) -> u128 {
    if body[8] == b'-' && body[13] == b'-' && body[18] == b'-' && body[23] == b'-' {
        bytes(&gather(body))
    } else {
        NONE
    }
}

/// Not inlined, as [`hyphenated`].
#[inline(never)]
const fn simple(digits: &[u8; SIMPLE]) -> u128 {
    bytes(digits)
}

/// Returns the five groups without the hyphens between them.
#[inline]
const fn gather(body: &[u8; HYPHENATED]) -> [u8; SIMPLE] {
    let mut digits = [0; SIMPLE];
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

/// Returns the bytes of 32 digits in registers, or [`NONE`] if a byte is not a digit.
#[allow(clippy::inline_always, reason = "across a call the gathered digits would go through memory")]
#[inline(always)]
const fn bytes(digits: &[u8; SIMPLE]) -> u128 {
    let mut values = [0; SIMPLE];
    let mut bad = false;
    let mut at = 0;
    while at < SIMPLE {
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
    if bad { NONE } else { u128::from_ne_bytes(bytes) }
}

/// Returns the fault of the first of 32 bytes that is not a digit.
#[cold]
#[inline(never)]
const fn fault_of_digits(digits: &[u8; SIMPLE]) -> Option<InvalidTenantIdError> {
    match first_wrong(digits) {
        SIMPLE => None,
        at => Some(InvalidTenantIdError::new(kind(digits[at]), at)),
    }
}

/// Returns the first fault of a hyphenated body. The body ends a text of this length, except for a closing brace.
#[cold]
#[inline(never)]
const fn fault_of_body(body: &[u8; HYPHENATED], length: usize) -> Option<InvalidTenantIdError> {
    let open = match length {
        BRACED => 1,
        URN => URN_PREFIX.len(),
        _ => 0,
    };
    let digit = first_wrong(&gather(body));
    let digit = digit
        + (digit >= 8) as usize
        + (digit >= 12) as usize
        + (digit >= 16) as usize
        + (digit >= 20) as usize;
    let mut hyphen = 8;
    while hyphen < 28 {
        if hyphen < digit && body[hyphen] != b'-' {
            return Some(InvalidTenantIdError::new(Kind::Hyphen, open + hyphen));
        }
        hyphen += 5;
    }
    if digit == HYPHENATED {
        return None;
    }
    Some(InvalidTenantIdError::new(kind(body[digit]), open + digit))
}

/// Returns the fault of a byte that is not a digit.
const fn kind(byte: u8) -> Kind {
    if byte == b'-' { Kind::Hyphen } else { Kind::Character }
}

/// Returns the position of the first byte that is not a digit, or 32. Compares eight bytes at a time.
#[inline]
const fn first_wrong(digits: &[u8; SIMPLE]) -> usize {
    let mut rest: &[u8] = digits;
    let mut at = 0;
    while let Some((word, after)) = rest.split_first_chunk() {
        let wrong = wrong(u64::from_le_bytes(*word));
        if wrong != 0 {
            return at + wrong.trailing_zeros() as usize / 8;
        }
        rest = after;
        at += 8;
    }
    SIMPLE
}

/// Returns a word with the byte in each of its eight lanes.
const fn lanes(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns `0x80` in the lane of each byte that is not a digit.
#[inline]
const fn wrong(digits: u64) -> u64 {
    // Without bit 7 no lane overflows into the next one, and bit 7 of a sum says that its lane is large enough.
    let low = digits & lanes(0x7f);
    let letters = low | lanes(0x20);
    let digit = (low + lanes(0x80 - b'0')) & !(low + lanes(0x7f - b'9'));
    let letter = (letters + lanes(0x80 - b'a')) & !(letters + lanes(0x7f - b'f'));
    !((digit | letter) & !digits) & lanes(0x80)
}
