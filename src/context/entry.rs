//! What a slot holds.

pub(super) use super::mark::Mark;
use super::owner::Owner;
use crate::TenantId;

/// A tenant or none, as four words: copied by registers, where 16 bytes would call `memcpy`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Held(pub(super) [u32; 4]);

impl Held {
    /// The nil id, which no tenant has.
    pub(super) const NONE: Self = Self([0; 4]);

    // By way of `u128`, which a compiler keeps in registers where it takes arrays of bytes apart.
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

/// What a slot holds.
#[derive(Clone, Copy)]
pub(super) struct Entry<O> {
    pub(super) held: Held,
    pub(super) mark: Mark<O>,
}

/// What leaving an entry needs: the entry's own mark, and what it replaced.
#[derive(Clone, Copy)]
pub(super) struct Token<O> {
    pub(super) replaced: Entry<O>,
    pub(super) mark: Mark<O>,
}

impl<O: Owner> Entry<O> {
    pub(super) const UNSET: Self = Self { held: Held::NONE, mark: Mark::FIRST };

    /// What `me` may see: its own tenant, and nobody else's.
    #[inline]
    pub(super) fn seen_by(self, me: O) -> Held {
        if self.mark.owner() == me { self.held } else { Held::NONE }
    }
}
