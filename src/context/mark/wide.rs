//! Hosts: an owner of any type, and a serial that does not run out.

use crate::context::owner::Owner;

#[derive(Clone, Copy, PartialEq)]
pub(in crate::context) struct Mark<O> {
    owner: O,
    serial: u64,
}

impl<O: Owner> Mark<O> {
    pub(in crate::context) const FIRST: Self = Self { owner: O::FIRST, serial: 0 };

    #[inline]
    pub(in crate::context) fn owner(self) -> O {
        self.owner
    }

    /// The mark of an entry that `owner` makes after this one.
    #[inline]
    pub(in crate::context) fn next(self, owner: O) -> Self {
        Self { owner, serial: self.serial.saturating_add(1) }
    }

    /// The same mark: see the bare-metal one.
    #[inline]
    pub(in crate::context) fn ready(self) -> Self {
        self
    }

    /// Whether no other entry has this mark: not so once the serials have run out.
    #[inline]
    pub(in crate::context) fn is_unique(self) -> bool {
        self.serial != u64::MAX
    }
}
