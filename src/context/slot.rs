//! A slot that holds one entry, and the rules by which it changes.
//!
//! An entry is a tenant and a stamp: its owner, and a generation. An entry that is entered takes the next generation, and
//! its token remembers the entry that it replaced. The current generation is never below that of a live guard: it
//! decreases only when the entry with exactly that stamp is left, and increases with every other change. So a guard that
//! finds its own stamp is the innermost one alive, and the entry that it replaced is still valid. A guard that finds
//! another stamp was dropped out of order, and clears the context.
//!
//! The next stamp depends on the current one alone. So the stamp is read first, and entries are exchanged if it is still
//! the same: the critical section only copies. A stamp changes in between only if an interrupt forgot a guard, or if
//! threads share a cell.

use super::entry::Held;
use super::owner::{Caller, Owner};
use super::stamp::Stamp;

#[cfg(not(target_os = "none"))]
pub(super) use self::locked::Slot;
#[cfg(target_os = "none")]
pub(super) use self::words::Slot;

/// The content of a slot.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    held: Held,
    stamp: Stamp<Caller>,
}

impl Entry {
    const UNSET: Self = Self { held: Held::NONE, stamp: Stamp::FIRST };

    /// Returns what `me` may see: its own tenant, and no other owner's.
    #[inline]
    fn seen_by(self, me: Caller) -> Held {
        if self.stamp.owner() == me { self.held } else { Held::NONE }
    }
}

/// What leaving an entry needs: the entry's own stamp, and the entry that it replaced.
#[derive(Clone, Copy)]
pub(super) struct Token {
    replaced: Entry,
    stamp: Stamp<Caller>,
}

/// A tenant was set in an interrupt handler outside of a scope: the next activation could read it.
#[derive(Debug)]
pub(super) struct OutsideScope;

impl Slot {
    /// Returns what the caller may see.
    #[inline]
    pub(super) fn seen(&self) -> Held {
        self.load().seen_by(Caller::now())
    }

    /// Changes what the caller holds. The entry of another owner is replaced: its guards and scopes find another stamp.
    #[inline]
    pub(super) fn set(&self, held: Held) -> Result<(), OutsideScope> {
        let me = Caller::now();
        let stamp = self.stamp();
        if stamp.owner() == me {
            if self.exchange(stamp, Entry { held, stamp }).is_some() {
                return Ok(());
            }
        } else if me.is_handler() {
            return Err(OutsideScope);
        }
        self.overwrite(held, me);
        Ok(())
    }

    /// Replaces the entry by one that no token has replaced or marks.
    #[cold]
    #[inline(never)]
    fn overwrite(&self, held: Held, owner: Caller) {
        loop {
            let current = self.stamp();
            let stamp = current.next(owner).computed();
            if self.exchange(current, Entry { held, stamp }).is_some() {
                return;
            }
        }
    }

    /// Replaces the entry, and returns the token that restores it.
    #[inline]
    fn push(&self, held: Held, owner: Caller) -> Token {
        loop {
            let current = self.stamp();
            let stamp = current.next(owner).computed();
            if let Some(replaced) = self.exchange(current, Entry { held, stamp }) {
                return Token { replaced: Entry { held: replaced, stamp: current }, stamp };
            }
        }
    }

    /// Enters a tenant for a guard.
    #[inline(never)]
    pub(super) fn enter(&self, held: Held) -> Result<Token, OutsideScope> {
        let me = Caller::now();
        if me.is_handler() && self.stamp().owner() != me {
            return Err(OutsideScope);
        }
        Ok(self.push(held, me))
    }

    /// Ends a guard's entry. In order, the replaced entry is restored; otherwise the context is cleared.
    #[inline(never)]
    pub(super) fn leave(&self, token: &Token) {
        if token.stamp.is_unique() && self.exchange(token.stamp, token.replaced).is_some() {
            return;
        }
        let owner = token.stamp.owner();
        // A handler's guard that outlived its scope finds the entry of the code that it interrupted.
        if self.stamp().owner() == owner || !owner.is_handler() {
            self.overwrite(Held::NONE, owner);
        }
    }
}

/// A scope on the caller's stack. It ends on return and on panic.
pub(super) struct Scope<'s> {
    slot: &'s Slot,
    token: Token,
}

impl<'s> Scope<'s> {
    #[inline]
    pub(super) fn begin(slot: &'s Slot, held: Held) -> Self {
        Self { slot, token: slot.push(held, Caller::now()) }
    }

    /// Returns what the body has made of the context so far.
    #[inline]
    #[cfg(target_os = "none")]
    pub(super) fn held(&self) -> Held {
        self.slot.load().seen_by(self.token.stamp.owner())
    }

    /// Ends a scope in which guards were forgotten, dropped out of order, or carried out of it. Scopes nest, so the
    /// replaced entry is restored. Its generation increases, so that those guards match no entry.
    #[cold]
    #[inline(never)]
    fn end_out_of_order(&self) {
        let Entry { held, stamp } = self.token.replaced;
        let me = self.token.stamp.owner();
        let may_restore = Caller::may_restore(self.slot.stamp().owner(), stamp.owner(), me);
        self.slot.overwrite(if may_restore { held } else { Held::NONE }, stamp.owner());
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.slot.exchange(self.token.stamp, self.token.replaced).is_none() {
            self.end_out_of_order();
        }
    }
}

/// Hosts: one entry behind a mutex.
#[cfg(not(target_os = "none"))]
mod locked {
    use std::sync::{Mutex, PoisonError};

    use super::{Caller, Entry, Held, Stamp};

    pub(in crate::context) struct Slot(Mutex<Entry>);

    impl Slot {
        pub(in crate::context) const fn new() -> Self {
            Self(Mutex::new(Entry::UNSET))
        }

        pub(super) fn load(&self) -> Entry {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn stamp(&self) -> Stamp<Caller> {
            self.load().stamp
        }

        /// Replaces the entry if its stamp is still `expected`, and returns what the old one held.
        pub(super) fn exchange(&self, expected: Stamp<Caller>, entry: Entry) -> Option<Held> {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (current.stamp == expected).then(|| std::mem::replace(&mut *current, entry).held)
        }
    }
}

/// Bare metal: five words. The critical section copies them, and does nothing else.
#[cfg(target_os = "none")]
mod words {
    use core::cell::Cell;

    use critical_section::Mutex;

    use self::word::Word;
    use super::{Caller, Entry, Held, Stamp};

    pub(in crate::context) struct Slot {
        held: Mutex<[Cell<u32>; 4]>,
        stamp: Word,
    }

    impl Slot {
        pub(in crate::context) const fn new() -> Self {
            let Entry { held: Held([a, b, c, d]), stamp } = Entry::UNSET;
            Self {
                held: Mutex::new([Cell::new(a), Cell::new(b), Cell::new(c), Cell::new(d)]),
                stamp: Word::new(stamp.word()),
            }
        }

        #[inline]
        pub(super) fn load(&self) -> Entry {
            critical_section::with(|section| {
                let [a, b, c, d] = self.held.borrow(section);
                Entry { held: Held([a.get(), b.get(), c.get(), d.get()]), stamp: self.stamp() }
            })
        }

        #[inline]
        pub(super) fn stamp(&self) -> Stamp<Caller> {
            Stamp::from_word(self.stamp.load())
        }

        /// Replaces the entry if its stamp is still `expected`, and returns what the old one held.
        #[inline]
        pub(super) fn exchange(&self, expected: Stamp<Caller>, entry: Entry) -> Option<Held> {
            critical_section::with(|section| {
                (self.stamp() == expected).then(|| {
                    self.stamp.store(entry.stamp.word());
                    let [a, b, c, d] = self.held.borrow(section);
                    let [e, f, g, h] = entry.held.0;
                    Held([a.replace(e), b.replace(f), c.replace(g), d.replace(h)])
                })
            })
        }
    }

    /// A word that is read without a critical section: loads and stores of 32 bits, which even a Cortex-M0 has.
    #[cfg(not(any(target_arch = "avr", target_arch = "bpf", target_arch = "msp430")))]
    mod word {
        use core::sync::atomic::{AtomicU32, Ordering};

        pub(super) struct Word(AtomicU32);

        impl Word {
            pub(super) const fn new(word: u32) -> Self {
                Self(AtomicU32::new(word))
            }

            #[inline]
            pub(super) fn load(&self) -> u32 {
                self.0.load(Ordering::Relaxed)
            }

            #[inline]
            pub(super) fn store(&self, word: u32) {
                self.0.store(word, Ordering::Relaxed);
            }
        }
    }

    /// A word on targets without atomic access to 32 bits.
    #[cfg(any(target_arch = "avr", target_arch = "bpf", target_arch = "msp430"))]
    mod word {
        use core::cell::Cell;

        use critical_section::Mutex;

        pub(super) struct Word(Mutex<Cell<u32>>);

        impl Word {
            pub(super) const fn new(word: u32) -> Self {
                Self(Mutex::new(Cell::new(word)))
            }

            pub(super) fn load(&self) -> u32 {
                critical_section::with(|section| self.0.borrow(section).get())
            }

            pub(super) fn store(&self, word: u32) {
                critical_section::with(|section| self.0.borrow(section).set(word));
            }
        }
    }
}
