//! Where nothing tells callers apart, or nothing has to: one owner.

use super::{Now, Owner};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller(bool);

impl Owner for Caller {
    const NOBODY: Self = Self(false);

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
