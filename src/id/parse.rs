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
    /// Reads an id in any of the forms that RFC 9562 tools write, in upper or lower case.
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
    /// The first fault from left to right: what is wrong and where, never the text itself. See
    /// [`InvalidTenantIdKind`](crate::InvalidTenantIdKind).
    #[inline]
    pub const fn parse(text: &str) -> Result<Self, InvalidTenantIdError> {
        Self::parse_ascii(text.as_bytes())
    }

    /// Reads an id like [`parse`](Self::parse), from bytes that need not be UTF-8: a header's value.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    #[inline]
    pub const fn parse_ascii(text: &[u8]) -> Result<Self, InvalidTenantIdError> {
        match decode(text) {
            Ok(bytes) => Self::from_bytes(bytes),
            Err(error) => Err(error),
        }
    }

    /// Reads an id like [`parse_ascii`](Self::parse_ascii), with vector instructions if the target has them.
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

/// Reads the other forms, and finds what is wrong with a text. A call, so that callers stay small.
#[inline(never)]
fn parse_scalar(text: &[u8]) -> Result<TenantId, InvalidTenantIdError> {
    TenantId::parse_ascii(text)
}
