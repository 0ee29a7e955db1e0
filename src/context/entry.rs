//! The rules of a context, apart from where it is kept: pure functions from a mark to the next entry.
//!
//! An entry is a tenant and a mark: its owner, and a serial number. Whoever enters takes the serial after
//! the current one and remembers the entry that it replaced. The current serial is never below that of a
//! live guard: it goes back only when the entry with exactly that serial is left, and goes up whenever
//! anything else happens. So a guard that finds its own mark is the innermost one alive, and what it
//! replaced is still true; a guard that finds another was dropped out of order, and the context is cleared.
//!
//! What comes next depends on the mark alone: a place can read it, think, and then exchange entries if the
//! mark is still the same, and its critical section is nothing but a copy.

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
        if a | b | c | d == 0 {
            return None;
        }
        let whole = u128::from(a) | u128::from(b) << 32 | u128::from(c) << 64 | u128::from(d) << 96;
        Some(TenantId::from_valid(whole.to_ne_bytes()))
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
    pub(super) const UNSET: Self = Self::none(Mark::FIRST);

    #[inline]
    const fn none(mark: Mark<O>) -> Self {
        Self { held: Held::NONE, mark }
    }

    /// What `me` may see: its own tenant, and nobody else's.
    #[inline]
    pub(super) fn seen_by(self, me: O) -> Held {
        if self.mark.owner() == me { self.held } else { Held::NONE }
    }
}

/// The mark of `me` setting its tenant; `None` where it is an interrupt handler that has no scope of its own
/// to hold it.
#[inline]
pub(super) fn set<O: Owner>(current: Mark<O>, me: O) -> Option<Mark<O>> {
    if current.owner() == me {
        Some(current)
    } else if me.is_handler() {
        None
    } else {
        Some(current.next(me))
    }
}

/// The entry after `me` has cleared; `None` where nothing changes. Another's entry is voided too, lest what
/// it replaced come back later; but not by a handler, which only borrows the slot from the code that it
/// interrupted.
#[inline]
pub(super) fn clear<O: Owner>(current: Mark<O>, me: O) -> Option<Entry<O>> {
    if current.owner() == me {
        Some(Entry::none(current))
    } else if me.is_handler() {
        None
    } else {
        Some(void(current))
    }
}

/// The mark of a scope of `me`, which ends on the same stack.
#[inline]
pub(super) fn begin<O: Owner>(current: Mark<O>, me: O) -> Mark<O> {
    current.next(me.in_scope())
}

/// The entry after a scope. Scopes nest, so the replaced entry comes back even where guards were forgotten
/// or carried out of the body; then its serial goes up, to void them.
#[inline]
pub(super) fn end<O: Owner>(current: Mark<O>, token: &Token<O>) -> Entry<O> {
    if current == token.mark {
        token.replaced
    } else if O::nests(current.owner(), token.replaced.mark.owner(), token.mark.owner()) {
        Entry { held: token.replaced.held, mark: current.next(token.replaced.mark.owner()) }
    } else {
        void(current)
    }
}

/// The mark of a guard of `me`; `None` where it is an interrupt handler that has no scope of its own to hold
/// it.
#[inline]
pub(super) fn enter<O: Owner>(current: Mark<O>, me: O) -> Option<Mark<O>> {
    if current.owner() == me {
        Some(current.next(current.owner()))
    } else if me.is_handler() {
        None
    } else {
        Some(current.next(me))
    }
}

/// What a guard of `me` may bring back: not another's entry, which may end while the guard lives.
#[inline]
pub(super) fn kept<O: Owner>(replaced: Entry<O>, me: O) -> Entry<O> {
    if replaced.mark.owner() == me { replaced } else { Entry::none(replaced.mark.disowned()) }
}

/// The entry after a guard; `None` where nothing changes. What the guard replaced comes back if nothing was
/// entered and not left since, or else the context is cleared.
#[inline]
pub(super) fn leave<O: Owner>(current: Mark<O>, token: &Token<O>) -> Option<Entry<O>> {
    if current.is(token.mark) {
        Some(token.replaced)
    } else if current.owner() == token.mark.owner() {
        Some(Entry::none(current.next(current.owner())))
    } else {
        clear(current, token.mark.owner())
    }
}

/// Nobody's entry.
#[inline]
pub(super) fn void<O: Owner>(current: Mark<O>) -> Entry<O> {
    Entry::none(current.next(O::NOBODY))
}
