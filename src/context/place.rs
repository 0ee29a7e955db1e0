//! Where a context is kept, and what can be done to it there.

use super::entry::{self, Entry, Held, Mark, Token};
use super::log;
use super::owner::Now;
use crate::TenantId;

/// A slot that holds one entry.
pub(super) trait Place: Copy {
    type Owner: Now;

    /// What the caller may see.
    fn seen(self) -> Held;

    /// The mark of the entry.
    fn mark(self) -> Mark<Self::Owner>;

    /// Replaces the entry, undisturbed by interrupts and other threads, and gives what the old one held;
    /// `None` where its mark is not `expected` any more.
    fn exchange(self, expected: Mark<Self::Owner>, entry: Entry<Self::Owner>) -> Option<Held>;

    /// Is told before `me` sets, clears or enters outside a scope.
    #[inline]
    fn claim(self, _me: Self::Owner) {}
}

/// Replaces the entry by what `next` makes of its mark, and gives the old one; `None` where `next` does.
///
/// The mark changes under it only where another core or thread shares the place, or an interrupt forgot a
/// guard: then `next` is asked again.
#[inline]
pub(super) fn replace<P: Place>(
    place: P,
    mut next: impl FnMut(Mark<P::Owner>) -> Option<Entry<P::Owner>>,
) -> Option<Entry<P::Owner>> {
    loop {
        let mark = place.mark();
        if let Some(held) = place.exchange(mark, next(mark)?) {
            return Some(Entry { held, mark });
        }
    }
}

#[inline]
pub(super) fn set<P: Place>(place: P, tenant: TenantId) {
    let me = P::Owner::now();
    let held = Held::from(tenant);
    place.claim(me);
    match replace(place, |current| entry::set(current, me).map(|mark| Entry { held, mark })) {
        Some(_) => log::set(tenant),
        None => refused(),
    }
}

#[inline]
pub(super) fn clear<P: Place>(place: P) {
    let me = P::Owner::now();
    place.claim(me);
    replace(place, |current| entry::clear(current, me));
    log::cleared();
}

/// Enters for a guard; a refused entry gives no token.
#[inline]
pub(super) fn enter<P: Place>(place: P, tenant: TenantId) -> Option<Token<P::Owner>> {
    let me = P::Owner::now();
    let held = Held::from(tenant);
    place.claim(me);
    let mut token = None;
    let replaced = replace(place, |current| {
        token = entry::enter(current, me);
        token.map(|mark| Entry { held, mark })
    });
    let (Some(replaced), Some(mark)) = (replaced, token) else {
        refused();
        return None;
    };
    Some(Token { replaced: entry::kept(replaced, me), mark })
}

#[inline]
pub(super) fn leave<P: Place>(place: P, token: Option<&Token<P::Owner>>) {
    if let Some(token) = token {
        replace(place, |current| entry::leave(current, token));
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
        let me = P::Owner::now();
        loop {
            let current = place.mark();
            let mark = entry::begin(current, me);
            if let Some(replaced) = place.exchange(current, Entry { held, mark }) {
                return Self {
                    place,
                    token: Token { replaced: Entry { held: replaced, mark: current }, mark },
                };
            }
        }
    }

    /// What the body has made of the context so far.
    #[inline]
    pub(super) fn left(&self) -> Held {
        self.place.seen()
    }
}

impl<P: Place> Drop for Scope<P> {
    #[inline]
    fn drop(&mut self) {
        // In order, the mark is the scope's own: it is expected without a look.
        if self.place.exchange(self.token.mark, self.token.replaced).is_none() {
            end_out_of_order(self.place, &self.token);
        }
    }
}

#[cold]
fn end_out_of_order<P: Place>(place: P, token: &Token<P::Owner>) {
    replace(place, |current| Some(entry::end(current, token)));
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
