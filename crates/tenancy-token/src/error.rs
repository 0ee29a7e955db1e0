//! Why a token cannot be minted or is not accepted.

use core::fmt;

/// An error of this crate. It names the step that failed, and repeats no part of the token.
///
/// ```
/// use tenancy_token::{TokenErrorKind, TokenKey};
///
/// let error = TokenKey::hmac(b"2026-12", b"too short").unwrap_err();
/// assert_eq!(error.kind(), TokenErrorKind::Key);
/// assert!(error.to_string().starts_with("invalid key"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenError {
    kind: TokenErrorKind,
}

/// The step that failed. [`Verifier::verify`](crate::Verifier::verify) runs the steps in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TokenErrorKind {
    /// The token or the text violates the format, or the claims to mint violate it.
    Malformed,
    /// The verifier has no key with the token's key id.
    UnknownKey,
    /// The token's algorithm is not supported, or is not the algorithm of its key.
    Algorithm,
    /// The signature or the message authentication code is wrong.
    Signature,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// The token is for another audience, or an audience is empty.
    Audience,
    /// The token's tenant id is nil or all ones.
    Tenant,
    /// The token seals another payload, or seals one although none is expected, or seals none.
    Payload,
    /// The token was accepted before, or it has no id by which a replay could be detected.
    Replayed,
    /// The verifier has no room for another key, or the replay guard has no room for another id.
    Full,
    /// The buffer is too small, or the token is longer than [`MAX_TOKEN`](crate::MAX_TOKEN).
    Buffer,
    /// The key or its id is invalid, the id is already used, or the key cannot sign.
    Key,
    /// The system's time is not known, so no token can be minted or verified.
    Time,
}

impl TokenError {
    pub(crate) const fn new(kind: TokenErrorKind) -> Self {
        Self { kind }
    }

    /// Returns the step that failed.
    pub const fn kind(&self) -> TokenErrorKind {
        self.kind
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TokenErrorKind::Malformed => {
                "malformed token: not a deterministic CBOR Web Token with the required claims"
            }
            TokenErrorKind::UnknownKey => "unknown key id",
            TokenErrorKind::Algorithm => "wrong algorithm: not supported, or not the algorithm of the key",
            TokenErrorKind::Signature => "invalid signature",
            TokenErrorKind::Expired => "token has expired",
            TokenErrorKind::NotYetValid => "token is not valid yet",
            TokenErrorKind::Audience => "wrong audience",
            TokenErrorKind::Tenant => "invalid tenant id: nil and all ones are reserved",
            TokenErrorKind::Payload => "payload and token do not match",
            TokenErrorKind::Replayed => "token was accepted before, or has no id",
            TokenErrorKind::Full => "no room for another key or token id",
            TokenErrorKind::Buffer => "buffer is too small, or the token is too long",
            TokenErrorKind::Key => {
                "invalid key: expected an id of 1 to 16 bytes that is not in use, and a key that can do this"
            }
            TokenErrorKind::Time => "unknown time: the clock of the system is before 1970",
        })
    }
}

impl core::error::Error for TokenError {}

impl From<TokenErrorKind> for TokenError {
    fn from(kind: TokenErrorKind) -> Self {
        Self::new(kind)
    }
}
