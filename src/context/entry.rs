//! A tenant or none, as slots store it.

use crate::TenantId;

/// A tenant or none, as four words: copied by registers, where 16 bytes would call `memcpy`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Held(pub(super) [u32; 4]);

impl Held {
    /// The nil id, which no tenant has.
    pub(super) const NONE: Self = Self([0; 4]);

    // By `u128`, which a compiler keeps in registers. It takes arrays of bytes apart.
    #[inline]
    pub(super) fn tenant(self) -> Option<TenantId> {
        let [a, b, c, d] = self.0;
        let whole = u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64 | u128::from(d) << 96;
        if whole == 0 { None } else { Some(TenantId::from_valid(whole.to_ne_bytes())) }
    }
}

impl From<TenantId> for Held {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "one word after the other")]
    fn from(tenant: TenantId) -> Self {
        let whole = u128::from_ne_bytes(*tenant.as_bytes());
        Self([whole as u32, (whole >> 32) as u32, (whole >> 64) as u32, (whole >> 96) as u32])
    }
}
