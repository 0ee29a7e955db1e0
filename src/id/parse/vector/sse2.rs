//! Decodes 32 hexadecimal digits with SSE2.

use core::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_adds_epu8, _mm_and_si128, _mm_cvtsi128_si64, _mm_min_epu8, _mm_movemask_epi8,
    _mm_or_si128, _mm_packus_epi16, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16, _mm_slli_epi16,
    _mm_srli_epi16, _mm_sub_epi8, _mm_subs_epu8, _mm_unpackhi_epi64,
};

/// Returns the 16 bytes of 32 digits in memory order, or 0 if a byte is not a digit.
#[inline]
pub(super) fn bytes(digits: [u64; 4]) -> u128 {
    // SAFETY: `decode` needs SSE2, and this module is compiled only for targets that enable SSE2.
    #[allow(unsafe_code, reason = "a function with a target feature")]
    unsafe {
        decode(digits)
    }
}

#[target_feature(enable = "sse2")]
#[inline]
fn decode([a, b, c, d]: [u64; 4]) -> u128 {
    let first = values(_mm_set_epi64x(b.cast_signed(), a.cast_signed()));
    let second = values(_mm_set_epi64x(d.cast_signed(), c.cast_signed()));
    // Adding 112 sets bit 7 of a value above 15, which is not the value of a digit.
    let wrong = _mm_or_si128(_mm_adds_epu8(first, splat(112)), _mm_adds_epu8(second, splat(112)));
    if _mm_movemask_epi8(wrong) != 0 {
        return 0;
    }
    let bytes = _mm_packus_epi16(pairs(first), pairs(second));
    let low = _mm_cvtsi128_si64(bytes).cast_unsigned();
    let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes)).cast_unsigned();
    u128::from(low) | u128::from(high) << 64
}

#[target_feature(enable = "sse2")]
#[inline]
fn splat(byte: u8) -> __m128i {
    _mm_set1_epi8(byte.cast_signed())
}

/// Returns the value of each digit, and a number above 15 for each other byte.
#[target_feature(enable = "sse2")]
#[inline]
fn values(text: __m128i) -> __m128i {
    // `0` to `9` become 0xf6 to 0xff, then 0xf0 to 0xf9. All other bytes end at 0xf0 or below, or are 0.
    let digit = _mm_subs_epu8(_mm_add_epi8(text, splat(0xff - b'9')), splat(6));
    let digit = _mm_sub_epi8(digit, splat(0xf0));
    // Without bit 5 a letter is upper case. The addition saturates, so that no other byte becomes small.
    let letter = _mm_sub_epi8(_mm_and_si128(text, splat(0xdf)), splat(b'A'));
    let letter = _mm_adds_epu8(letter, splat(10));
    _mm_min_epu8(digit, letter)
}

/// Combines each two values to one byte, in the low half of each 16-bit lane.
#[target_feature(enable = "sse2")]
#[inline]
fn pairs(values: __m128i) -> __m128i {
    let both = _mm_or_si128(_mm_slli_epi16::<4>(values), _mm_srli_epi16::<8>(values));
    _mm_and_si128(both, _mm_set1_epi16(0xff))
}
