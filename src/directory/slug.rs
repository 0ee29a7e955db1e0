//! A tenant's name in URLs and logs.

use core::fmt;
use core::str::FromStr;

use crate::TenantId;

/// A tenant's name: a DNS label in lower case, so that it can stand in a host name, a path and a log line.
///
/// 1 to 63 of `a-z`, `0-9` and `-`, with no hyphen first or last (RFC 1123, section 2.1). A text that is a
/// [`TenantId`] is no slug: where either may stand, neither is taken for the other.
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
    /// Zero behind the end.
    bytes: [u8; TenantSlug::MAX_LEN],
    length: u8,
}

/// A text is no slug: see [`TenantSlug`] for what one is. It repeats nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidTenantSlugError(());

impl TenantSlug {
    /// The most bytes of a slug.
    pub const MAX_LEN: usize = 63;

    /// Reads a slug.
    ///
    /// # Errors
    ///
    /// [`InvalidTenantSlugError`] where the text is none.
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

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        // ASCII, and no longer than the bytes.
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
            "invalid tenant slug: expected 1 to 63 of a-z, 0-9 and -, no hyphen first or last, and no tenant id",
        )
    }
}

impl core::error::Error for InvalidTenantSlugError {}
