//! Conversions from and to text, bytes and `uuid::Uuid`.

use core::str::FromStr;

use super::TenantId;
use crate::error::InvalidTenantIdError;

impl FromStr for TenantId {
    type Err = InvalidTenantIdError;

    #[inline]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_fast(text.as_bytes())
    }
}

impl TryFrom<&str> for TenantId {
    type Error = InvalidTenantIdError;

    #[inline]
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse_fast(text.as_bytes())
    }
}

/// Reads text like [`TenantId::parse_ascii`]. For 16 raw bytes, convert from `[u8; 16]`.
impl TryFrom<&[u8]> for TenantId {
    type Error = InvalidTenantIdError;

    #[inline]
    fn try_from(text: &[u8]) -> Result<Self, Self::Error> {
        Self::parse_fast(text)
    }
}

impl TryFrom<[u8; 16]> for TenantId {
    type Error = InvalidTenantIdError;

    fn try_from(bytes: [u8; 16]) -> Result<Self, Self::Error> {
        Self::from_bytes(bytes)
    }
}

impl TryFrom<uuid::Uuid> for TenantId {
    type Error = InvalidTenantIdError;

    fn try_from(uuid: uuid::Uuid) -> Result<Self, Self::Error> {
        Self::from_bytes(uuid.into_bytes())
    }
}

impl From<TenantId> for uuid::Uuid {
    fn from(tenant: TenantId) -> Self {
        Self::from_bytes(tenant.0)
    }
}
