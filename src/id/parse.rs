//! One parser for the four text forms of an id.

mod exact;
#[cfg(not(target_os = "none"))]
mod fast;
mod layout;
#[cfg(all(
    not(target_os = "none"),
    any(
        all(target_arch = "x86_64", target_feature = "sse2"),
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    ),
))]
mod vector;

#[cfg(target_os = "none")]
use self::exact::decode;
#[cfg(not(target_os = "none"))]
use self::fast::decode;
use super::TenantId;
use crate::error::InvalidTenantIdError;

impl TenantId {
    /// Parses an id in any of the forms that tools write (RFC 9562), in upper or lower case.
    ///
    /// | form | bytes | example |
    /// | --- | --- | --- |
    /// | hyphenated | 36 | `550e8400-e29b-41d4-a716-446655440000` |
    /// | simple | 32 | `550e8400e29b41d4a716446655440000` |
    /// | braced | 38 | `{550e8400-e29b-41d4-a716-446655440000}` |
    /// | URN | 45 | `urn:uuid:550e8400-e29b-41d4-a716-446655440000` |
    ///
    /// # Errors
    ///
    /// Returns the first fault from left to right and its position, but not the text. See
    /// [`InvalidTenantIdKind`](crate::InvalidTenantIdKind).
    #[inline]
    pub const fn parse(text: &str) -> Result<Self, InvalidTenantIdError> {
        Self::parse_ascii(text.as_bytes())
    }

    /// Parses an id as [`parse`](Self::parse) does, from bytes that may not be UTF-8, such as a header's value.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`parse`](Self::parse).
    #[inline]
    pub const fn parse_ascii(text: &[u8]) -> Result<Self, InvalidTenantIdError> {
        match decode(text) {
            Ok(bytes) => Self::from_bytes(bytes),
            Err(error) => Err(error),
        }
    }

    /// Parses an id as [`parse_ascii`](Self::parse_ascii) does, with vector instructions if the target has them.
    #[inline]
    pub(crate) fn parse_fast(text: &[u8]) -> Result<Self, InvalidTenantIdError> {
        #[cfg(all(
            not(target_os = "none"),
            any(
                all(target_arch = "x86_64", target_feature = "sse2"),
                all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
            ),
        ))]
        {
            let bytes = vector::decode(text);
            if bytes != 0 && bytes != u128::MAX {
                return Ok(Self::from_valid(bytes.to_le_bytes()));
            }
        }
        parse_scalar(text)
    }
}

/// Parses the other forms, and finds the fault of a text. It is not inlined, so that callers stay small.
#[inline(never)]
fn parse_scalar(text: &[u8]) -> Result<TenantId, InvalidTenantIdError> {
    TenantId::parse_ascii(text)
}
