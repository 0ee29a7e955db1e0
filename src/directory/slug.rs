//! A tenant's name in URLs and logs.

use core::fmt;
use core::str::FromStr;

use crate::TenantId;

/// A tenant's name: a DNS label in lower case, for host names, paths and logs.
///
/// A slug is 1 to 63 of `a-z`, `0-9` and `-`, without a hyphen at the start or the end (RFC 1123, section 2.1). The text of
/// a [`TenantId`] is not a slug, so a text that may be either is never ambiguous.
///
/// ```
/// use tenancy::TenantSlug;
///
/// assert_eq!(TenantSlug::parse("acme-eu").unwrap().as_str(), "acme-eu");
/// assert!(TenantSlug::parse("Acme").is_err());
/// assert!(TenantSlug::parse("550e8400-e29b-41d4-a716-446655440000").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantSlug {
    /// Zero after the end.
    bytes: [u8; TenantSlug::MAX_LEN],
    length: u8,
}

/// The text is not a valid [`TenantSlug`]. The error does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidTenantSlugError(());

impl TenantSlug {
    /// The largest length of a slug in bytes.
    pub const MAX_LEN: usize = 63;

    /// Parses a slug.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidTenantSlugError`] if the text is not a slug.
    #[allow(clippy::cast_possible_truncation, reason = "63 at most")]
    pub const fn parse(text: &str) -> Result<Self, InvalidTenantSlugError> {
        const INVALID: InvalidTenantSlugError = InvalidTenantSlugError(());
        let text = text.as_bytes();
        let ([first, .., _] | [first]) = text else { return Err(INVALID) };
        let [.., last] = text else { return Err(INVALID) };
        if text.len() > Self::MAX_LEN || *first == b'-' || *last == b'-' {
            return Err(INVALID);
        }
        let mut bytes = [0; Self::MAX_LEN];
        let mut at = 0;
        while at < text.len() {
            if !matches!(text[at], b'a'..=b'z' | b'0'..=b'9' | b'-') {
                return Err(INVALID);
            }
            bytes[at] = text[at];
            at += 1;
        }
        if TenantId::parse_ascii(text).is_ok() {
            return Err(INVALID);
        }
        Ok(Self { bytes, length: text.len() as u8 })
    }

    /// Returns the slug as text.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII, and `length` is within them.
        self.bytes.get(..usize::from(self.length)).and_then(|text| str::from_utf8(text).ok()).unwrap_or("")
    }
}

impl FromStr for TenantSlug {
    type Err = InvalidTenantSlugError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for TenantSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TenantSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for InvalidTenantSlugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "invalid tenant slug: expected 1 to 63 of a-z, 0-9 and -, no hyphen first or last, and not a tenant id",
        )
    }
}

impl core::error::Error for InvalidTenantSlugError {}
