//! The token in the headers of a message.

use async_nats::HeaderMap;
use tenancy_token::{JobVerifier, MAX_TOKEN, TokenError, TokenErrorKind, Verified, decode_text};

/// The header with the token of a message, in the form of [`tenancy_token::encode_text`].
pub const TOKEN_HEADER: &str = "Tenant-Token";

/// Reads the token of a message into a buffer. A message has exactly one.
fn token_in<'b>(headers: Option<&HeaderMap>, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    let mut values = headers.into_iter().flat_map(|headers| headers.get_all(TOKEN_HEADER));
    match (values.next(), values.next()) {
        (Some(text), None) => decode_text(text.as_str(), buffer),
        _ => Err(TokenErrorKind::Malformed.into()),
    }
}

/// Verifies the token of a message, which seals the payload.
pub(crate) fn open<'b, const KEYS: usize>(
    verifier: &JobVerifier<KEYS>,
    headers: Option<&HeaderMap>,
    payload: &[u8],
    buffer: &'b mut [u8; MAX_TOKEN],
) -> Result<Verified<'b>, TokenError> {
    verifier.open(token_in(headers, buffer)?, payload)
}
