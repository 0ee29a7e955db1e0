//! A tenant or none, as slots store it.

use crate::TenantId;

/// A tenant or none, in a form that a compiler copies by registers. It would call `memcpy` for 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct Held(pub(super) Words);

/// One number, which is also passed in registers.
#[cfg(not(target_os = "none"))]
type Words = u128;

/// The words that the critical section copies.
#[cfg(target_os = "none")]
type Words = [u32; 4];

impl Held {
    /// The nil id, which no tenant has.
    pub(super) const NONE: Self = Self::from_number(0);

    /// All ones, which no tenant has.
    pub(super) const MAX: Self = Self::from_number(u128::MAX);

    #[inline]
    pub(super) fn tenant(self) -> Option<TenantId> {
        let number = self.number();
        if number == 0 { None } else { Some(TenantId::from_valid(number.to_ne_bytes())) }
    }

    #[cfg(not(target_os = "none"))]
    #[inline]
    const fn from_number(number: u128) -> Self {
        Self(number)
    }

    #[cfg(not(target_os = "none"))]
    #[inline]
    fn number(self) -> u128 {
        self.0
    }

    #[cfg(target_os = "none")]
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "one word after the other")]
    const fn from_number(number: u128) -> Self {
        Self([number as u32, (number >> 32) as u32, (number >> 64) as u32, (number >> 96) as u32])
    }

    #[cfg(target_os = "none")]
    #[inline]
    fn number(self) -> u128 {
        let [a, b, c, d] = self.0;
        u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64 | u128::from(d) << 96
    }
}

/// Compares numbers, because a compiler may call `memcmp` for words.
impl PartialEq for Held {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl From<TenantId> for Held {
    #[inline]
    fn from(tenant: TenantId) -> Self {
        Self::from_number(u128::from_ne_bytes(*tenant.as_bytes()))
    }
}
