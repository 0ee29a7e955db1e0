//! Bare metal: one word, the owner in its low half and the serial in its high half.

use core::marker::PhantomData;

use crate::context::owner::Owner;

const OWNER: u32 = 0xffff;

/// Serials end at 65,535, and go up for good only when guards are forgotten or dropped out of order: after
/// so many, a guard that is dropped clears the context, and scopes still restore it.
const LAST: u32 = 0xffff_0000;

#[derive(Clone, Copy)]
pub(in crate::context) struct Mark<O>(u32, PhantomData<O>);

impl<O> PartialEq for Mark<O> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<O: Owner> Mark<O> {
    /// All zero, so that a static needs no flash to begin with.
    pub(in crate::context) const FIRST: Self = Self::from_word(0);

    #[inline]
    pub(in crate::context) const fn from_word(word: u32) -> Self {
        Self(word, PhantomData)
    }

    #[inline]
    pub(in crate::context) const fn word(self) -> u32 {
        self.0
    }

    #[inline]
    pub(in crate::context) fn owner(self) -> O {
        O::from_tag(self.0 & OWNER)
    }

    /// The mark of an entry that `owner` makes after this one.
    #[inline]
    pub(in crate::context) fn next(self, owner: O) -> Self {
        let serial = self.0.checked_add(OWNER + 1).unwrap_or(self.0) & !OWNER;
        Self::from_word(serial | owner.tag())
    }

    /// The same mark, worked out by now: a compiler would rather do it in the critical section.
    #[inline]
    pub(in crate::context) fn ready(self) -> Self {
        Self::from_word(core::hint::black_box(self.0))
    }

    /// Whether no other entry has this mark: not so once the serials have run out.
    #[inline]
    pub(in crate::context) fn is_unique(self) -> bool {
        self.0 < LAST
    }
}
