//! Decodes 32 hexadecimal digits with NEON.

use core::arch::aarch64::{
    uint8x16_t, vaddq_u8, vandq_u8, vbslq_u8, vcltq_u8, vcombine_u8, vcreate_u8, vdupq_n_u8, vgetq_lane_u64,
    vminvq_u8, vorrq_u8, vreinterpretq_u64_u8, vshlq_n_u8, vsubq_u8, vuzp1q_u8, vuzp2q_u8,
};

/// Returns the 16 bytes of 32 digits in memory order, or 0 if a byte is not a digit.
#[inline]
pub(super) fn bytes(digits: [u64; 4]) -> u128 {
    // SAFETY: `decode` needs NEON, and this module is compiled only for targets that enable NEON.
    #[allow(unsafe_code, reason = "a function with a target feature")]
    unsafe {
        decode(digits)
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn decode([a, b, c, d]: [u64; 4]) -> u128 {
    let (first, first_valid) = values(vcombine_u8(vcreate_u8(a), vcreate_u8(b)));
    let (second, second_valid) = values(vcombine_u8(vcreate_u8(c), vcreate_u8(d)));
    if vminvq_u8(vandq_u8(first_valid, second_valid)) == 0 {
        return 0;
    }
    let high = vshlq_n_u8::<4>(vuzp1q_u8(first, second));
    let bytes = vreinterpretq_u64_u8(vorrq_u8(high, vuzp2q_u8(first, second)));
    u128::from(vgetq_lane_u64::<0>(bytes)) | u128::from(vgetq_lane_u64::<1>(bytes)) << 64
}

/// Returns the value of each digit, and 0xff in the lane of each byte that is a digit.
#[target_feature(enable = "neon")]
#[inline]
fn values(text: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
    let digit = vsubq_u8(text, vdupq_n_u8(b'0'));
    let is_digit = vcltq_u8(digit, vdupq_n_u8(10));
    let letter = vsubq_u8(vorrq_u8(text, vdupq_n_u8(0x20)), vdupq_n_u8(b'a'));
    let is_letter = vcltq_u8(letter, vdupq_n_u8(6));
    let value = vbslq_u8(is_digit, digit, vaddq_u8(letter, vdupq_n_u8(10)));
    (value, vorrq_u8(is_digit, is_letter))
}
