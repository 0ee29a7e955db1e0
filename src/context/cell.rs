//! The critical-section guarded cell.

#[cfg_attr(target_os = "none", path = "cell/words.rs")]
#[cfg_attr(not(target_os = "none"), path = "cell/whole.rs")]
mod slot;

use core::fmt;
use core::marker::PhantomData;

use super::entry::{Entry, Held, Mark, Token};
use super::owner::Caller;
use super::place::{self, Place};
use crate::{TenantContextNotSetError, TenantId};
use slot::Slot;

/// A cell that holds the tenant of whoever set it, and shows it to nobody else.
///
/// It can stand in a `static`. Its owner tag is the exception number on Arm M-profile and the thread (with
/// the feature `tokio`, the task) on hosts; elsewhere nothing tells callers apart, and an interrupt
/// handler's body has to run inside [`interrupt`](Self::interrupt). Two cores need a cell each: see the
/// feature `custom-cell`.
///
/// Most programs use [`TenantContext`](crate::TenantContext), which finds the right place by itself; the
/// methods here are the same.
///
/// ```
/// use tenancy::{TenantCell, TenantId};
///
/// static CELL: TenantCell = TenantCell::new();
///
/// let seen = CELL.scope(TenantId::PLATFORM, || CELL.get());
/// assert_eq!(seen, Ok(TenantId::PLATFORM));
/// assert!(!CELL.is_set());
/// ```
pub struct TenantCell(Slot);

impl TenantCell {
    /// An unset cell.
    pub const fn new() -> Self {
        Self(Slot::new())
    }

    /// Sets the caller's tenant, until it is set again or cleared.
    ///
    /// In an interrupt handler it works only inside a [`scope`](Self::scope) or an
    /// [`interrupt`](Self::interrupt) of that handler: elsewhere the next activation could read it, so
    /// nothing is set, and with the feature `defmt` an error is logged.
    ///
    /// # Panics
    ///
    /// In a debug build, in an interrupt handler outside a scope.
    pub fn set(&self, tenant: TenantId) {
        place::set(self, tenant);
    }

    /// The caller's tenant.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] where none is set, or somebody else's.
    pub fn get(&self) -> Result<TenantId, TenantContextNotSetError> {
        self.get_optional().ok_or(TenantContextNotSetError)
    }

    /// The caller's tenant, if one is set.
    pub fn get_optional(&self) -> Option<TenantId> {
        self.seen().tenant()
    }

    /// The caller's tenant as text, if one is set.
    pub fn get_value(&self) -> Option<heapless::String<36>> {
        self.get_optional().map(|tenant| tenant.to_text())
    }

    /// Whether the caller has a tenant.
    pub fn is_set(&self) -> bool {
        self.seen() != Held::NONE
    }

    /// Clears the caller's tenant.
    pub fn clear(&self) {
        place::clear(self);
    }

    /// Runs `body` in `tenant`, and restores what was before: on return and on panic.
    pub fn scope<R>(&self, tenant: TenantId, body: impl FnOnce() -> R) -> R {
        place::scope(self, tenant.into(), body)
    }

    /// Enters `tenant` until the guard is dropped; [`scope`](Self::scope) can't be left in a wrong order.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn enter(&self, tenant: TenantId) -> TenantCellGuard<'_> {
        TenantCellGuard { cell: self, token: place::enter(self, tenant), not_send: PhantomData }
    }

    /// Runs the body of an interrupt handler: it starts unset, and what it interrupted comes back after it.
    pub fn interrupt<R>(&self, body: impl FnOnce() -> R) -> R {
        place::scope(self, Held::NONE, body)
    }

    /// Carries the caller's tenant, or that there is none, over to wherever the closure is called.
    pub fn bind<R, F: FnOnce() -> R>(&self, body: F) -> impl FnOnce() -> R + use<'_, R, F> {
        let held = self.seen();
        move || place::scope(self, held, body)
    }
}

impl Default for TenantCell {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no tenant: the one who prints may not be the owner.
impl fmt::Debug for TenantCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCell").finish_non_exhaustive()
    }
}

impl Place for &TenantCell {
    type Owner = Caller;

    #[inline]
    fn entry(self) -> Entry<Caller> {
        self.0.load()
    }

    #[inline]
    fn mark(self) -> Mark<Caller> {
        self.0.mark()
    }

    #[inline]
    fn exchange(self, expected: Mark<Caller>, entry: Entry<Caller>) -> Option<Held> {
        self.0.exchange(expected, entry)
    }
}

/// Holds a tenant in a [`TenantCell`] until it is dropped: see [`TenantCell::enter`].
///
/// Dropped out of order, it clears the cell: what it replaced may have ended.
#[must_use = "the tenant is left when the guard is dropped"]
pub struct TenantCellGuard<'c> {
    cell: &'c TenantCell,
    token: Option<Token<Caller>>,
    not_send: PhantomData<*const ()>,
}

impl Drop for TenantCellGuard<'_> {
    fn drop(&mut self) {
        place::leave(self.cell, self.token.as_ref());
    }
}

impl fmt::Debug for TenantCellGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCellGuard").finish_non_exhaustive()
    }
}
