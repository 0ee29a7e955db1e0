//! A cell that holds the tenant of its owner.

use core::fmt;
use core::marker::PhantomData;

use super::entry::Held;
use super::log;
use super::slot::{OutsideScope, Scope, Slot, Token};
use crate::{SetTenantContextError, TenantContextNotSetError, TenantId};

/// A cell that stores a tenant for the owner that set it, and shows it to no other owner.
///
/// A `static` can hold it. The owner is the running exception on Arm M-profile, and the thread on hosts, or the task with
/// the feature `tokio`. On other bare-metal targets nothing tells owners apart, and the body of an interrupt handler must
/// run inside [`interrupt`](Self::interrupt). Two cores need two cells: see the feature `custom-cell`.
///
/// On bare metal a cell has 20 bytes, and the `critical-section` crate guards it. On hosts a mutex of `std` guards it.
///
/// Most programs use [`TenantContext`](crate::TenantContext), which has the same methods.
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
    /// Returns an unset cell.
    pub const fn new() -> Self {
        Self(Slot::new())
    }

    /// Sets the caller's tenant until it is set again or cleared.
    ///
    /// An interrupt handler can set only inside of a [`scope`](Self::scope) or an [`interrupt`](Self::interrupt) of its
    /// own. Outside of one, its next activation could read the tenant. So nothing is set, and with the feature `defmt` an
    /// error is logged.
    ///
    /// # Panics
    ///
    /// Panics in a debug build if an interrupt handler sets outside of a scope.
    pub fn set(&self, tenant: TenantId) {
        match self.0.set(tenant.into()) {
            Ok(()) => log::set(tenant),
            Err(error) => reject(error),
        }
    }

    /// Sets the caller's tenant as [`set`](Self::set) does, and returns an error where `set` panics.
    ///
    /// # Errors
    ///
    /// Returns [`SetTenantContextError`] if an interrupt handler sets outside of a scope.
    pub fn try_set(&self, tenant: TenantId) -> Result<(), SetTenantContextError> {
        self.0.set(tenant.into()).map_err(|OutsideScope| SetTenantContextError)?;
        log::set(tenant);
        Ok(())
    }

    /// Returns the caller's tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TenantContextNotSetError`] if no tenant is set, or if another owner set it.
    pub fn get(&self) -> Result<TenantId, TenantContextNotSetError> {
        self.get_optional().ok_or(TenantContextNotSetError)
    }

    /// Returns the caller's tenant, if one is set.
    pub fn get_optional(&self) -> Option<TenantId> {
        self.0.seen().tenant()
    }

    /// Returns the caller's tenant as text, if one is set.
    pub fn get_value(&self) -> Option<heapless::String<36>> {
        self.get_optional().map(|tenant| tenant.to_text())
    }

    /// Returns whether the caller has a tenant.
    pub fn is_set(&self) -> bool {
        self.0.seen() != Held::NONE
    }

    /// Clears the caller's tenant.
    pub fn clear(&self) {
        // A handler without a scope of its own has nothing to clear.
        let _ = self.0.set(Held::NONE);
        log::cleared();
    }

    /// Runs `body` in `tenant`, and restores the previous state when `body` returns or panics.
    pub fn scope<R>(&self, tenant: TenantId, body: impl FnOnce() -> R) -> R {
        let _scope = Scope::begin(&self.0, tenant.into());
        body()
    }

    /// Runs `body` without a tenant, and restores the previous state when `body` returns or panics.
    pub fn without<R>(&self, body: impl FnOnce() -> R) -> R {
        let _scope = Scope::begin(&self.0, Held::NONE);
        body()
    }

    /// Enters `tenant` until the guard is dropped. Prefer [`scope`](Self::scope), which cannot be left out of order.
    ///
    /// # Panics
    ///
    /// Panics as [`set`](Self::set) does.
    pub fn enter(&self, tenant: TenantId) -> TenantCellGuard<'_> {
        let token = self.0.enter(tenant.into()).map_err(reject).ok();
        TenantCellGuard { cell: self, token, not_send: PhantomData }
    }

    /// Runs the body of an interrupt handler without a tenant, and restores the interrupted code's tenant afterwards.
    pub fn interrupt<R>(&self, body: impl FnOnce() -> R) -> R {
        self.without(body)
    }

    /// Returns a closure that runs `body` in the caller's current state, with its tenant or without one.
    pub fn bind<R, F: FnOnce() -> R>(&self, body: F) -> impl FnOnce() -> R + use<'_, R, F> {
        let held = self.0.seen();
        move || {
            let _scope = Scope::begin(&self.0, held);
            body()
        }
    }

    /// Returns a closure that runs `body` in the caller's current state each time it is called.
    pub fn bind_fn<A, R, F: Fn(A) -> R>(&self, body: F) -> impl Fn(A) -> R + use<'_, A, R, F> {
        let held = self.0.seen();
        move |argument| {
            let _scope = Scope::begin(&self.0, held);
            body(argument)
        }
    }

    #[cfg(target_os = "none")]
    pub(super) fn slot(&self) -> &Slot {
        &self.0
    }
}

/// Reports that a tenant was set in an interrupt handler outside of a scope.
#[cold]
pub(super) fn reject(OutsideScope: OutsideScope) {
    log::rejected();
    debug_assert!(
        false,
        "a tenant was set in an interrupt handler outside of a scope: its next activation would see it; \
         use TenantContext::scope or TenantContext::interrupt"
    );
}

impl Default for TenantCell {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no tenant, because the caller may not be the owner.
impl fmt::Debug for TenantCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCell").finish_non_exhaustive()
    }
}

/// A guard that holds a tenant in a [`TenantCell`] until it is dropped: see [`TenantCell::enter`].
///
/// A guard that is dropped out of order clears the cell, because the state before it may have ended.
#[must_use = "the tenant is left when the guard is dropped"]
pub struct TenantCellGuard<'c> {
    cell: &'c TenantCell,
    token: Option<Token>,
    not_send: PhantomData<*const ()>,
}

impl Drop for TenantCellGuard<'_> {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            self.cell.0.leave(token);
        }
    }
}

impl fmt::Debug for TenantCellGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCellGuard").finish_non_exhaustive()
    }
}
