//! The lengths of the text forms, and the value of a digit.

pub(super) const SIMPLE: usize = 32;
pub(super) const HYPHENATED: usize = 36;
pub(super) const BRACED: usize = 38;
pub(super) const URN: usize = 45;
pub(super) const URN_PREFIX: &[u8; 9] = b"urn:uuid:";

/// Returns the value of a hexadecimal digit, and whether the byte is another character. It has no branch.
#[inline]
#[allow(clippy::needless_bitwise_bool, reason = "a branch is what it avoids")]
pub(super) const fn hex_value(byte: u8) -> (u8, bool) {
    let digit = byte.wrapping_sub(b'0');
    let letter = (byte | 0x20).wrapping_sub(b'a');
    let value = if digit < 10 { digit } else { letter.wrapping_add(10) };
    (value, (digit >= 10) & (letter >= 6))
}
