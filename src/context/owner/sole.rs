//! Where nothing tells callers apart, or nothing has to: one owner.

use super::{Now, Owner};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller(bool);

impl Owner for Caller {
    const NOBODY: Self = Self(false);

    #[cfg(target_os = "none")]
    const NOBODY_TAG: u32 = 0;

    #[cfg(target_os = "none")]
    #[inline]
    fn tag(self) -> u32 {
        u32::from(self.0)
    }

    #[cfg(target_os = "none")]
    #[inline]
    fn from_tag(tag: u32) -> Self {
        Self(tag != Self::NOBODY_TAG)
    }

    #[inline]
    fn nests(_current: Self, _replaced: Self, _me: Self) -> bool {
        true
    }
}

impl Now for Caller {
    #[inline]
    fn now() -> Self {
        Self(true)
    }
}
