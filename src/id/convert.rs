//! Conversions from and to text, bytes and `uuid::Uuid`.

use core::str::FromStr;

use super::TenantId;
use crate::error::InvalidTenantIdError;

impl FromStr for TenantId {
    type Err = InvalidTenantIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for TenantId {
    type Error = InvalidTenantIdError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

/// Reads text, as [`TenantId::parse_ascii`] does; 16 raw bytes are an array: `<[u8; 16]>::try_from`.
impl TryFrom<&[u8]> for TenantId {
    type Error = InvalidTenantIdError;

    fn try_from(text: &[u8]) -> Result<Self, Self::Error> {
        Self::parse_ascii(text)
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
