//! A signed token in a header.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use tenancy::{ResolveTenantError, TenantId};
use tenancy_token::{MAX_TOKEN, TokenError, TokenErrorKind, UnixSeconds, Verifier};

use crate::token_field::{TOKEN_METADATA, decode_binary};
use crate::{Rejection, trace};

/// A field with a token, and the verifier.
pub(super) struct TokenSource {
    /// `None` stands for the default fields.
    field: Option<HeaderName>,
    verify: Verify,
}

type Verify = Box<dyn Fn(&[u8], UnixSeconds) -> Result<TenantId, TokenError> + Send + Sync>;

impl TokenSource {
    pub(super) fn new<const KEYS: usize>(field: Option<HeaderName>, verifier: Verifier<KEYS>) -> Self {
        let verify = move |token: &[u8], now| Ok(verifier.verify(token, now)?.tenant());
        Self { field, verify: Box::new(verify) }
    }

    /// Returns the tenant of the request's token, or `None` if the request has no token.
    #[inline]
    pub(super) fn tenant(&self, headers: &HeaderMap) -> Result<Option<TenantId>, Rejection> {
        let mut buffer = [0; MAX_TOKEN];
        let Some(token) = self.token(headers, &mut buffer)? else { return Ok(None) };
        let verified = token.and_then(|token| {
            let now = UnixSeconds::now().ok_or(TokenErrorKind::Time)?;
            (self.verify)(token, now)
        });
        verified.map(Some).map_err(rejection)
    }

    /// Returns the request's token, or why its text is not a token.
    fn token<'b>(
        &self,
        headers: &HeaderMap,
        buffer: &'b mut [u8],
    ) -> Result<Option<Result<&'b [u8], TokenError>>, ResolveTenantError> {
        if let Some(name) = &self.field {
            let value = only(headers, name)?;
            let is_binary = name.as_str().ends_with("-bin");
            return Ok(value.map(|value| if is_binary { binary(value, buffer) } else { text(value, buffer) }));
        }
        if let Some(value) = only(headers, &TOKEN_METADATA)? {
            return Ok(Some(binary(value, buffer)));
        }
        let value = only(headers, &AUTHORIZATION)?;
        Ok(value.and_then(bearer).map(|text| self::bytes(text, buffer)))
    }
}

/// Returns the value of a field that may occur once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, ResolveTenantError> {
    // A request has about ten fields: comparing their names costs less than hashing this one.
    let mut values = headers.iter().filter(|(field, _)| *field == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(ResolveTenantError::Duplicate),
        (value, None) => Ok(value.map(HeaderValue::as_bytes)),
    }
}

/// Returns the text after the scheme `Bearer` (RFC 6750, section 2.1), if the value has this scheme.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(rest)
}

fn text<'b>(value: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    bytes(bearer(value).unwrap_or(value), buffer)
}

fn bytes<'b>(text: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    let text = str::from_utf8(text).map_err(|_| TokenErrorKind::Malformed)?;
    tenancy_token::decode_text(text, buffer)
}

fn binary<'b>(value: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
    decode_binary(value, buffer).ok_or(TokenErrorKind::Malformed.into())
}

/// Logs the step that failed for the operator. The caller learns only that the token was not accepted.
#[cold]
fn rejection(error: TokenError) -> Rejection {
    if error.kind() == TokenErrorKind::Time {
        trace::failed(&error);
        Rejection::Unavailable
    } else {
        trace::token_rejected(&error);
        Rejection::InvalidToken
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("field", &self.field).finish_non_exhaustive()
    }
}
