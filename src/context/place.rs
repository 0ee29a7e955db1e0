//! Where a context is kept, and the rules of what is done to it there.
//!
//! An entry is a tenant and a mark: its owner, and a serial number. Whoever enters takes the serial after
//! the current one and remembers the entry that it replaced. The current serial is never below that of a
//! live guard: it goes back only when the entry with exactly that mark is left, and goes up whenever
//! anything else happens. So a guard that finds its own mark is the innermost one alive, and what it
//! replaced is still true; a guard that finds another was dropped out of order, and clears the context.
//!
//! What comes next depends on the mark alone, so a mark is read first, and entries are exchanged if it is
//! still the same: the critical section is nothing but a copy. A mark changes in between only where an
//! interrupt forgot a guard, or where threads share a cell.

use super::entry::{Entry, Held, Mark, Token};
use super::log;
use super::owner::{Now, Owner};
use crate::TenantId;

/// A slot that holds one entry.
pub(super) trait Place: Copy {
    type Owner: Now;

    /// What is there, whosever it is.
    fn entry(self) -> Entry<Self::Owner>;

    /// What the caller may see.
    #[inline]
    fn seen(self) -> Held {
        self.entry().seen_by(Self::Owner::now())
    }

    /// The mark of the entry.
    fn mark(self) -> Mark<Self::Owner>;

    /// Replaces the entry, undisturbed by interrupts and other threads, and gives what the old one held;
    /// `None` where its mark is not `expected` any more.
    fn exchange(self, expected: Mark<Self::Owner>, entry: Entry<Self::Owner>) -> Option<Held>;

    /// Is told before `me` sets, clears or enters outside a scope.
    #[inline]
    fn claim(self, _me: Self::Owner) {}
}

#[inline]
pub(super) fn set<P: Place>(place: P, tenant: TenantId) {
    if put(place, tenant.into()) {
        log::set(tenant);
    } else {
        refused();
    }
}

#[inline]
pub(super) fn clear<P: Place>(place: P) {
    // A handler without a scope of its own has nothing to clear, and only borrows the slot.
    put(place, Held::NONE);
    log::cleared();
}

/// Makes `held` the caller's; `false` where it is an interrupt handler without a scope of its own to hold it.
/// Another's entry is replaced for good: its owner's guards and scopes find another mark.
#[inline]
fn put<P: Place>(place: P, held: Held) -> bool {
    let me = P::Owner::now();
    place.claim(me);
    let mark = place.mark();
    if mark.owner() == me {
        if place.exchange(mark, Entry { held, mark }).is_some() {
            return true;
        }
    } else if me.is_handler() {
        return false;
    }
    supersede(place, held, me);
    true
}

/// Puts an entry that no token has replaced or marks.
#[cold]
#[inline(never)]
fn supersede<P: Place>(place: P, held: Held, owner: P::Owner) {
    loop {
        let current = place.mark();
        let mark = current.next(owner).ready();
        if place.exchange(current, Entry { held, mark }).is_some() {
            return;
        }
    }
}

/// Puts an entry, and gives the token that takes it away.
#[inline]
fn push<P: Place>(place: P, held: Held, owner: P::Owner) -> Token<P::Owner> {
    loop {
        let current = place.mark();
        let mark = current.next(owner).ready();
        if let Some(replaced) = place.exchange(current, Entry { held, mark }) {
            return Token { replaced: Entry { held: replaced, mark: current }, mark };
        }
    }
}

/// Enters for a guard; no token where the caller is an interrupt handler without a scope of its own.
#[inline(never)]
pub(super) fn enter<P: Place>(place: P, tenant: TenantId) -> Option<Token<P::Owner>> {
    let me = P::Owner::now();
    place.claim(me);
    let owner = place.mark().owner();
    if owner == me {
        // Equal, but it may say of itself that it is in a scope.
        Some(push(place, tenant.into(), owner))
    } else if me.is_handler() {
        refused();
        None
    } else {
        Some(push(place, tenant.into(), me))
    }
}

/// Ends a guard's entry: in order, what it replaced comes back; or else the context is cleared.
#[inline(never)]
pub(super) fn leave<P: Place>(place: P, token: Option<&Token<P::Owner>>) {
    let Some(token) = token else { return };
    if token.mark.is_unique() && place.exchange(token.mark, token.replaced).is_some() {
        return;
    }
    let owner = token.mark.owner();
    // A handler's guard that outlived its scope finds the slot of the code that it interrupted.
    if place.mark().owner() == owner || !owner.is_handler() {
        supersede(place, Held::NONE, owner);
    }
}

#[inline]
pub(super) fn scope<R>(place: impl Place, held: Held, body: impl FnOnce() -> R) -> R {
    let _scope = Scope::begin(place, held);
    body()
}

/// A scope on this stack, ended on return and on panic.
pub(super) struct Scope<P: Place> {
    place: P,
    token: Token<P::Owner>,
}

impl<P: Place> Scope<P> {
    #[inline]
    pub(super) fn begin(place: P, held: Held) -> Self {
        Self { place, token: push(place, held, P::Owner::now().in_scope()) }
    }

    /// What the body has made of the context so far.
    #[inline]
    pub(super) fn left(&self) -> Held {
        self.place.entry().seen_by(self.token.mark.owner())
    }
}

impl<P: Place> Drop for Scope<P> {
    #[inline]
    fn drop(&mut self) {
        if self.place.exchange(self.token.mark, self.token.replaced).is_none() {
            end_out_of_order(self.place, &self.token);
        }
    }
}

/// Ends a scope in which guards were forgotten, dropped out of order, or carried out of it. Scopes nest, so
/// what it replaced comes back all the same; its serial goes up, to void those guards.
#[cold]
#[inline(never)]
fn end_out_of_order<P: Place>(place: P, token: &Token<P::Owner>) {
    let Entry { held, mark } = token.replaced;
    let nested = P::Owner::nests(place.mark().owner(), mark.owner(), token.mark.owner());
    supersede(place, if nested { held } else { Held::NONE }, mark.owner());
}

#[cold]
fn refused() {
    log::refused();
    debug_assert!(
        false,
        "a tenant was set in an interrupt handler outside a scope: its next activation would see it; \
         use TenantContext::scope or TenantContext::interrupt"
    );
}
