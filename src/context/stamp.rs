//! The stamp of a cell's entry: its owner, and a generation.

#[cfg(not(target_os = "none"))]
pub(super) use self::wide::Stamp;
#[cfg(target_os = "none")]
pub(super) use self::word::Stamp;

/// Hosts: an owner of any type, and a generation that does not run out.
#[cfg(not(target_os = "none"))]
mod wide {
    use crate::context::owner::Owner;

    #[derive(Clone, Copy, PartialEq)]
    pub(in crate::context) struct Stamp<O> {
        owner: O,
        generation: u64,
    }

    impl<O: Owner> Stamp<O> {
        pub(in crate::context) const FIRST: Self = Self { owner: O::FIRST, generation: 0 };

        #[inline]
        pub(in crate::context) fn owner(self) -> O {
            self.owner
        }

        /// Returns the stamp of an entry that `owner` creates after this one.
        #[inline]
        pub(in crate::context) fn next(self, owner: O) -> Self {
            Self { owner, generation: self.generation.saturating_add(1) }
        }

        /// Returns the same stamp: see the one for bare metal.
        #[inline]
        pub(in crate::context) fn computed(self) -> Self {
            self
        }

        /// Whether no other entry has this stamp. Not so after the generations have run out.
        #[inline]
        pub(in crate::context) fn is_unique(self) -> bool {
            self.generation != u64::MAX
        }
    }
}

/// Bare metal: one word, with the owner in its low half and the generation in its high half.
#[cfg(target_os = "none")]
mod word {
    use core::marker::PhantomData;

    use crate::context::owner::Owner;

    const OWNER: u32 = 0xffff;

    /// Generations end at 65,535. They increase permanently only when guards are forgotten or dropped out of order: after
    /// so many, a guard that is dropped clears the context, and scopes still restore it.
    const LAST: u32 = 0xffff_0000;

    #[derive(Clone, Copy)]
    pub(in crate::context) struct Stamp<O>(u32, PhantomData<O>);

    impl<O> PartialEq for Stamp<O> {
        #[inline]
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl<O: Owner> Stamp<O> {
        /// All zero, so that a static needs no flash for its initial value.
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

        /// Returns the stamp of an entry that `owner` creates after this one.
        #[inline]
        pub(in crate::context) fn next(self, owner: O) -> Self {
            let generation = self.0.checked_add(OWNER + 1).unwrap_or(self.0) & !OWNER;
            Self::from_word(generation | owner.tag())
        }

        /// Returns the same stamp, computed now. Otherwise a compiler computes it in the critical section.
        #[inline]
        pub(in crate::context) fn computed(self) -> Self {
            Self::from_word(core::hint::black_box(self.0))
        }

        /// Whether no other entry has this stamp. Not so after the generations have run out.
        #[inline]
        pub(in crate::context) fn is_unique(self) -> bool {
            self.0 < LAST
        }
    }
}
