//! Where nothing tells callers apart, or nothing has to: one owner.

use super::{Now, Owner};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller;

impl Owner for Caller {
    #[cfg(not(target_os = "none"))]
    const FIRST: Self = Self;

    #[cfg(target_os = "none")]
    #[inline]
    fn tag(self) -> u32 {
        0
    }

    #[cfg(target_os = "none")]
    #[inline]
    fn from_tag(_tag: u32) -> Self {
        Self
    }

    #[inline]
    fn nests(_current: Self, _replaced: Self, _me: Self) -> bool {
        true
    }
}

impl Now for Caller {
    #[inline]
    fn now() -> Self {
        Self
    }
}
