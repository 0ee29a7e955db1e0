//! Reads the two usual text forms with vector instructions that every processor of the target has.
//!
//! Intrinsics cannot run at compile time, so `TenantId::parse` and `TenantId::parse_ascii` do not use this file.

#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "aarch64")]
use neon::bytes;
#[cfg(target_arch = "x86_64")]
use sse2::bytes;

use super::layout::{HYPHENATED, SIMPLE};

/// Returns the bytes of a hyphenated or simple id.
///
/// Returns 0 for every other text: another form, a malformed text, and the nil id.
#[inline]
pub(super) fn decode(text: &[u8]) -> u128 {
    let words = match text.len() {
        HYPHENATED => text.first_chunk().and_then(hyphenated),
        SIMPLE => text.first_chunk().map(simple),
        _ => None,
    };
    words.map_or(0, bytes)
}

/// Returns the 32 digits of a hyphenated id in four little-endian words, or nothing if a hyphen is missing.
#[inline]
fn hyphenated(text: &[u8; HYPHENATED]) -> Option<[u64; 4]> {
    let hyphens = text[8] == b'-' && text[13] == b'-' && text[18] == b'-' && text[23] == b'-';
    hyphens.then(|| [word(text, 0), two(text, 9, 14), two(text, 19, 24), word(text, 28)])
}

/// Returns the 32 digits of a simple id in four little-endian words.
#[inline]
fn simple(text: &[u8; SIMPLE]) -> [u64; 4] {
    [word(text, 0), word(text, 8), word(text, 16), word(text, 24)]
}

/// Returns the eight bytes at a position. Callers pass positions within the text.
#[inline]
fn word(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Returns four bytes at each of two positions. Callers pass positions within the text.
#[inline]
fn two(text: &[u8], low: usize, high: usize) -> u64 {
    let half = |at: usize| {
        text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    u64::from(half(low)) | u64::from(half(high)) << 32
}
