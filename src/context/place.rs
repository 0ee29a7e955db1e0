//! Where a context is kept, and what can be done to it there.

use super::entry::{Entry, Held, Token};
use super::log;
use super::owner::Now;
use crate::TenantId;

/// A slot that holds one entry.
pub(super) trait Place: Copy {
    type Owner: Now;

    /// What the caller may see.
    fn seen(self) -> Held;

    /// Changes the entry, undisturbed by interrupts and other threads.
    fn update<R>(self, change: impl FnOnce(&mut Entry<Self::Owner>) -> R) -> R;

    /// Is told before `me` sets, clears or enters outside a scope.
    #[inline]
    fn claim(self, _me: Self::Owner) {}
}

#[inline]
pub(super) fn set(place: impl Place, tenant: TenantId) {
    let me = Now::now();
    let held = Held::from(tenant);
    place.claim(me);
    if place.update(|entry| entry.set(held, me)) {
        log::set(tenant);
    } else {
        refused();
    }
}

#[inline]
pub(super) fn clear(place: impl Place) {
    let me = Now::now();
    place.claim(me);
    place.update(|entry| entry.clear(me));
    log::cleared();
}

/// Enters for a guard; a refused entry gives no token.
#[inline]
pub(super) fn enter<P: Place>(place: P, tenant: TenantId) -> Option<Token<P::Owner>> {
    let me = Now::now();
    let held = Held::from(tenant);
    place.claim(me);
    let token = place.update(|entry| entry.enter(held, me));
    if token.is_none() {
        refused();
    }
    token
}

#[inline]
pub(super) fn leave<P: Place>(place: P, token: Option<&Token<P::Owner>>) {
    if let Some(token) = token {
        place.update(|entry| entry.leave(token));
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
        let me = Now::now();
        Self { place, token: place.update(|entry| entry.begin(held, me)) }
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
        self.place.update(|entry| entry.end(&self.token));
    }
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
