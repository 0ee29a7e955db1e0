//! Tokens as text, for headers: base64url without padding (RFC 4648, section 5).

use crate::error::{TokenError, TokenErrorKind};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The length of the longest token as text, in bytes.
pub const MAX_TEXT: usize = (crate::cose::MAX_TOKEN * 4).div_ceil(3);

/// Writes a token as text into a buffer, and returns the text.
///
/// A buffer of [`MAX_TEXT`] bytes is large enough for each token.
///
/// # Errors
///
/// [`TokenErrorKind::Buffer`] if the buffer is too small: 3 bytes become 4.
///
/// ```
/// let text = tenancy_token::encode_text(&[0xd1, 0x84], &mut [0; 3])?.to_owned();
/// assert_eq!(text, "0YQ");
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
pub fn encode_text<'b>(token: &[u8], buffer: &'b mut [u8]) -> Result<&'b str, TokenError> {
    let length = token.len() / 3 * 4 + (token.len() % 3 * 4).div_ceil(3);
    let text = buffer.get_mut(..length).ok_or(TokenErrorKind::Buffer)?;
    for (group, digits) in token.chunks(3).zip(text.chunks_mut(4)) {
        let bits =
            [16, 8, 0].iter().zip(group).fold(0, |bits, (shift, byte)| bits | u32::from(*byte) << shift);
        for (shift, digit) in [18, 12, 6, 0].iter().zip(digits) {
            *digit = ALPHABET[(bits >> shift & 63) as usize];
        }
    }
    // The alphabet is ASCII.
    Ok(core::str::from_utf8(text).map_err(|_| TokenErrorKind::Malformed)?)
}

/// Reads a token from text into a buffer, and returns the token. Verify it next.
///
/// A buffer of [`MAX_TOKEN`](crate::MAX_TOKEN) bytes is large enough for each token.
///
/// # Errors
///
/// - [`TokenErrorKind::Malformed`] if the text is not base64url, has padding, or is not the one text of its bytes.
/// - [`TokenErrorKind::Buffer`] if the buffer is too small.
///
/// ```
/// let mut buffer = [0; 2];
/// assert_eq!(tenancy_token::decode_text("0YQ", &mut buffer)?, [0xd1, 0x84]);
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
pub fn decode_text<'b>(text: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    let text = text.as_bytes();
    let length = text.len() / 4 * 3 + text.len() % 4 * 3 / 4;
    let token = buffer.get_mut(..length).ok_or(TokenErrorKind::Buffer)?;
    if text.len() % 4 == 1 {
        return Err(TokenErrorKind::Malformed.into());
    }
    let mut groups = token.chunks_mut(3);
    for digits in text.chunks(4) {
        let mut bits = 0;
        for (shift, digit) in [18, 12, 6, 0].iter().zip(digits) {
            bits |= value(*digit).ok_or(TokenErrorKind::Malformed)? << shift;
        }
        for (shift, byte) in [16, 8, 0].iter().zip(groups.next().unwrap_or_default()) {
            *byte = (bits >> shift & 0xff) as u8;
            bits &= !(0xff << shift);
        }
        // The last digit has bits that belong to no byte. Another value of them would be a second text of the token.
        if bits != 0 {
            return Err(TokenErrorKind::Malformed.into());
        }
    }
    Ok(token)
}

const fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648, section 10, without their padding.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn texts_are_those_of_the_standard() {
        for (bytes, text) in VECTORS {
            assert_eq!(encode_text(bytes.as_bytes(), &mut [0; 8]), Ok(text));
            assert_eq!(decode_text(text, &mut [0; 6]), Ok(bytes.as_bytes()));
        }
        assert_eq!(encode_text(&[0xfb, 0xff], &mut [0; 3]), Ok("-_8"));
    }

    #[test]
    fn every_length_survives_and_needs_its_whole_buffer() {
        let bytes: [u8; 512] = core::array::from_fn(|at| (at * 7).to_le_bytes()[0]);
        for length in 0..=bytes.len() {
            let mut text = [0; MAX_TEXT];
            let text = encode_text(&bytes[..length], &mut text).unwrap();
            let mut buffer = [0; 512];
            assert_eq!(decode_text(text, &mut buffer), Ok(&bytes[..length]));
            if length > 0 {
                let small = encode_text(&bytes[..length], &mut [0; MAX_TEXT][..text.len() - 1]).unwrap_err();
                assert_eq!(small.kind(), TokenErrorKind::Buffer);
                let small = decode_text(text, &mut buffer[..length - 1]).unwrap_err();
                assert_eq!(small.kind(), TokenErrorKind::Buffer);
            }
        }
    }

    #[test]
    fn rejects_second_texts_of_the_same_bytes() {
        // Padding, other alphabets, spaces, a digit too many, and bits that belong to no byte.
        for text in ["Zg==", "+/8", "Zm 9v", "Zm9v\n", "Zm9vY", "Zm9vA", "A", "Zh", "Zm9", "Z\u{fc}"] {
            let error = decode_text(text, &mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), TokenErrorKind::Malformed, "{text}");
        }
    }

    #[test]
    fn exactly_64_bytes_are_digits() {
        assert_eq!((0..=255).filter_map(value).count(), 64);
        for (at, digit) in (0..).zip(ALPHABET) {
            assert_eq!(value(*digit), Some(at));
        }
    }
}
