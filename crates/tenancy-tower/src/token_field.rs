//! Binary gRPC metadata with a token: base64, where headers of HTTP have base64url.

use http::HeaderName;
use tenancy_token::{MAX_TEXT, decode_text};

/// The binary gRPC metadata with a token.
pub(crate) const TOKEN_METADATA: HeaderName = HeaderName::from_static("tenant-token-bin");

/// The digits of base64url that differ, and those of base64.
pub(crate) const URL: [u8; 2] = *b"-_";
pub(crate) const STANDARD: [u8; 2] = *b"+/";

/// Reads the value of binary metadata, with or without padding (gRPC over HTTP/2, Custom-Metadata).
pub(crate) fn decode_binary<'b>(value: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let unpadded = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let is_padded = unpadded.len() < value.len();
    // Padding fills groups of four.
    if (is_padded && !value.len().is_multiple_of(4)) || unpadded.iter().any(|digit| URL.contains(digit)) {
        return None;
    }
    let mut text = [0; MAX_TEXT];
    let text = text.get_mut(..unpadded.len())?;
    text.copy_from_slice(unpadded);
    exchange(text, STANDARD, URL);
    decode_text(str::from_utf8(text).ok()?, buffer).ok()
}

/// Changes between the two alphabets.
pub(crate) fn exchange(text: &mut [u8], from: [u8; 2], to: [u8; 2]) {
    for digit in text {
        if let Some(at) = from.iter().position(|other| other == digit) {
            *digit = to[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_metadata_with_and_without_padding() {
        // RFC 4648, section 10, and the digits that differ from base64url.
        for (value, bytes) in [
            ("Zm9vYmFy", &b"foobar"[..]),
            ("Zg", b"f"),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("+/8", b"\xfb\xff"),
        ] {
            assert_eq!(decode_binary(value.as_bytes(), &mut [0; 8]), Some(bytes), "{value}");
        }
    }

    #[test]
    fn rejects_other_alphabets_and_wrong_padding() {
        for value in [&b"Zg="[..], b"Zg===", b"Zm9v=", b"-_8", b"Zm 8", b"Zm\xff8", b"="] {
            assert_eq!(decode_binary(value, &mut [0; 8]), None, "{value:?}");
        }
        // Longer than any token.
        assert_eq!(decode_binary(&[b'A'; MAX_TEXT + 4], &mut [0; 1024]), None);
    }
}
