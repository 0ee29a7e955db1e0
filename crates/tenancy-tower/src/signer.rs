//! Tokens for outbound requests.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use tenancy::TenantId;
use tenancy_token::{Issuer, MAX_TEXT, MAX_TOKEN, TokenKey, decode_text, encode_text};

use crate::token_field::{STANDARD, TOKEN_METADATA, URL, exchange};

const SCHEME: &[u8] = b"Bearer ";

/// Adds tokens to outbound requests, and removes tokens that were there before.
#[derive(Debug)]
pub(crate) struct Signer {
    issuer: Issuer,
    /// `None` stands for the default fields.
    field: Option<HeaderName>,
}

impl Signer {
    pub(crate) fn new(key: TokenKey, audience: &str, lifetime: Duration, field: Option<HeaderName>) -> Self {
        let issuer = Issuer::new(key, audience, lifetime);
        Self { issuer: issuer.expect("a key that signs, an audience, and a lifetime of at least 1 s"), field }
    }

    /// Replaces the tokens of a request by one of this tenant, or by none.
    pub(crate) fn sign(&self, headers: &mut HeaderMap, is_grpc: bool, tenant: Option<TenantId>) {
        headers.remove(TOKEN_METADATA);
        if let Some(name) = &self.field {
            headers.remove(name);
        }
        // A credential of another kind belongs to the application.
        if headers.get_all(AUTHORIZATION).iter().any(is_bearer_token) {
            headers.remove(AUTHORIZATION);
        }
        // Without a known time there is no token, and the receiver rejects the request.
        let mut buffer = [0; MAX_TOKEN];
        let token = tenant.and_then(|tenant| self.issuer.issue(tenant, &mut buffer).ok());
        if let Some((name, value)) = token.and_then(|token| self.entry(token, is_grpc)) {
            headers.insert(name, value);
        }
    }

    fn entry(&self, token: &[u8], is_grpc: bool) -> Option<(HeaderName, HeaderValue)> {
        Some(match &self.field {
            Some(name) if name.as_str().ends_with("-bin") => (name.clone(), binary_value(token)?),
            Some(name) if *name == AUTHORIZATION => (AUTHORIZATION, bearer_value(token)?),
            Some(name) => (name.clone(), text_value(token)?),
            None if is_grpc => (TOKEN_METADATA, binary_value(token)?),
            None => (AUTHORIZATION, bearer_value(token)?),
        })
    }
}

/// Returns the value of `Authorization` for a token (RFC 6750, section 2.1).
fn bearer_value(token: &[u8]) -> Option<HeaderValue> {
    let mut buffer = [0; SCHEME.len() + MAX_TEXT];
    let (scheme, rest) = buffer.split_at_mut(SCHEME.len());
    scheme.copy_from_slice(SCHEME);
    let length = SCHEME.len() + encode_text(token, rest).ok()?.len();
    sensitive(buffer.get(..length)?)
}

/// Returns the value of a field that has no scheme.
fn text_value(token: &[u8]) -> Option<HeaderValue> {
    sensitive(encode_text(token, &mut [0; MAX_TEXT]).ok()?.as_bytes())
}

/// Returns the value of binary metadata, which has no padding (gRPC over HTTP/2, Custom-Metadata).
fn binary_value(token: &[u8]) -> Option<HeaderValue> {
    let mut buffer = [0; MAX_TEXT];
    let length = encode_text(token, &mut buffer).ok()?.len();
    let text = buffer.get_mut(..length)?;
    exchange(text, URL, STANDARD);
    sensitive(text)
}

/// A sensitive value is not shown by `Debug`, and not stored in the compression tables of HTTP/2.
fn sensitive(value: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns whether a value of `Authorization` is a token of `tenancy-token`, and not a credential of another kind.
fn is_bearer_token(value: &HeaderValue) -> bool {
    let Some((scheme, text)) = value.as_bytes().split_at_checked(SCHEME.len()) else { return false };
    let text = str::from_utf8(text).unwrap_or_default();
    let mut buffer = [0; MAX_TOKEN];
    let Ok(token) = decode_text(text, &mut buffer) else { return false };
    let token = token.strip_prefix(&[0xd8, 0x3d]).unwrap_or(token);
    // A `COSE_Mac0` or `COSE_Sign1` array, and a protected header that begins with `alg`.
    scheme.eq_ignore_ascii_case(SCHEME)
        && matches!(token, [0xd1 | 0xd2, 0x84, 0x40..=0x57, 0xa1 | 0xa2, 0x01, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: [u8; 8] = [0xd1, 0x84, 0x43, 0xa1, 0x01, 0x05, 0xfb, 0xff];

    #[test]
    fn binary_metadata_has_the_standard_alphabet() {
        assert_eq!(binary_value(b"\xfb\xff").unwrap(), "+/8");
        assert_eq!(text_value(b"\xfb\xff").unwrap(), "-_8");
        assert_eq!(bearer_value(b"\xfb\xff").unwrap(), "Bearer -_8");
    }

    #[test]
    fn values_are_sensitive() {
        for value in [bearer_value(&TOKEN), binary_value(&TOKEN), text_value(&TOKEN)] {
            assert!(value.unwrap().is_sensitive());
        }
    }

    #[test]
    fn tells_tokens_from_other_credentials() {
        assert!(is_bearer_token(&bearer_value(&TOKEN).unwrap()));
        let tagged = [&[0xd8, 0x3d][..], &TOKEN].concat();
        assert!(is_bearer_token(&bearer_value(&tagged).unwrap()));
        let lower = bearer_value(&TOKEN).unwrap().to_str().unwrap().replace("Bearer", "bearer");
        assert!(is_bearer_token(&lower.parse().unwrap()));
        for other in ["Basic YWxhZGRpbjpvcGVuc2VzYW1l", "Bearer abc", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", ""]
        {
            assert!(!is_bearer_token(&HeaderValue::from_static(other)), "{other}");
        }
    }
}
