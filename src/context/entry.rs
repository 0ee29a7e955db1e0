//! The rules of a context, apart from where it is kept: pure functions on one entry.
//!
//! An entry is a tenant, its owner, and a serial number. Whoever enters takes the serial after the current
//! one and remembers the entry that it replaced. The current serial is never below that of a live guard:
//! it goes back only when the entry with exactly that serial is left, and goes up whenever anything else
//! happens. So a guard that finds its own serial is the innermost one alive, and what it replaced is still
//! true; a guard that finds another serial was dropped out of order, and the context is cleared.

use super::owner::Owner;
use crate::TenantId;

/// A tenant or none, as four words: copied by registers, where 16 bytes would call `memcpy`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Held([u32; 4]);

impl Held {
    /// The nil id, which no tenant has.
    pub(super) const NONE: Self = Self([0; 4]);

    #[inline]
    pub(super) fn tenant(self) -> Option<TenantId> {
        let [a, b, c, d] = self.0;
        if a | b | c | d == 0 {
            return None;
        }
        let [a, b, c, d] = self.0.map(u32::to_ne_bytes);
        Some(TenantId::from_valid([
            a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3],
        ]))
    }
}

impl From<TenantId> for Held {
    #[inline]
    fn from(tenant: TenantId) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *tenant.as_bytes();
        Self([[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]].map(u32::from_ne_bytes))
    }
}

#[cfg(target_os = "none")]
type Number = u16;
#[cfg(not(target_os = "none"))]
type Number = u64;

/// Counts entries; at its maximum it stays there, and then no guard is taken for the innermost any more.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Serial(Number);

impl Serial {
    #[inline]
    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    #[inline]
    fn is(self, other: Self) -> bool {
        self == other && self.0 != Number::MAX
    }
}

/// What a slot holds.
#[derive(Clone, Copy)]
pub(super) struct Entry<O> {
    held: Held,
    owner: O,
    serial: Serial,
}

/// What leaving an entry needs: the entry's own number and owner, and what it replaced.
#[derive(Clone, Copy)]
pub(super) struct Token<O> {
    replaced: Entry<O>,
    owner: O,
    serial: Serial,
}

impl<O: Owner> Entry<O> {
    pub(super) const UNSET: Self = Self { held: Held::NONE, owner: O::NOBODY, serial: Serial(0) };

    /// What `me` may see: its own tenant, and nobody else's.
    #[inline]
    pub(super) fn seen_by(self, me: O) -> Held {
        if self.owner == me { self.held } else { Held::NONE }
    }

    #[cfg(feature = "tokio")]
    #[inline]
    pub(super) fn owner(self) -> O {
        self.owner
    }

    #[cfg(feature = "tokio")]
    #[inline]
    pub(super) fn is_unset(self) -> bool {
        self.held == Held::NONE
    }

    /// Voids the entry if it is of `me`.
    #[cfg(feature = "tokio")]
    pub(super) fn forget(&mut self, me: O) {
        if self.owner == me {
            self.void();
        }
    }

    /// Sets the tenant; `false` where an interrupt handler has no scope of its own to hold it.
    #[inline]
    pub(super) fn set(&mut self, held: Held, me: O) -> bool {
        if self.owner != me {
            if me.is_handler() {
                return false;
            }
            self.owner = me;
            self.serial = self.serial.next();
        }
        self.held = held;
        true
    }

    /// Clears the tenant. Another's entry is voided too, lest what it replaced come back later; but not by
    /// a handler, which only borrows the slot from the code that it interrupted.
    #[inline]
    pub(super) fn clear(&mut self, me: O) {
        if self.owner == me {
            self.held = Held::NONE;
        } else if !me.is_handler() {
            self.void();
        }
    }

    /// Begins a scope, which ends on the same stack: by [`end`](Self::end), in order.
    #[inline]
    pub(super) fn begin(&mut self, held: Held, me: O) -> Token<O> {
        let owner = me.in_scope();
        let token = Token { replaced: *self, owner, serial: self.serial.next() };
        *self = Self { held, owner, serial: token.serial };
        token
    }

    /// Ends a scope. Scopes nest, so the replaced entry comes back even where guards were forgotten or
    /// carried out of the body; then its serial goes up, to void them.
    #[inline]
    pub(super) fn end(&mut self, token: &Token<O>) {
        if self.serial.is(token.serial) && self.owner == token.owner {
            *self = token.replaced;
        } else if O::nests(self.owner, token.replaced.owner, token.owner) {
            *self = Self { serial: self.serial.next(), ..token.replaced };
        } else {
            self.void();
        }
    }

    /// Enters without a scope; `None` where an interrupt handler has no scope of its own to hold it.
    #[inline]
    pub(super) fn enter(&mut self, held: Held, me: O) -> Option<Token<O>> {
        let mut replaced = *self;
        if self.owner != me {
            if me.is_handler() {
                return None;
            }
            // Another owner's entry may end while this one lives, so it is not kept.
            replaced = Self { serial: self.serial, ..Self::UNSET };
            self.owner = me;
        }
        self.held = held;
        self.serial = self.serial.next();
        Some(Token { replaced, owner: self.owner, serial: self.serial })
    }

    /// Leaves an entry: its replaced one comes back if nothing was entered and not left since, or else the
    /// context is cleared.
    #[inline]
    pub(super) fn leave(&mut self, token: &Token<O>) {
        if self.owner == token.owner {
            if self.serial.is(token.serial) {
                *self = token.replaced;
            } else {
                self.held = Held::NONE;
                self.serial = self.serial.next();
            }
        } else {
            self.clear(token.owner);
        }
    }

    fn void(&mut self) {
        *self = Self { serial: self.serial.next(), ..Self::UNSET };
    }
}
