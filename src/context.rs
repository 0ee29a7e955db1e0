//! The current tenant of a thread, task, core or interrupt.

mod cell;
mod current;
mod entry;
mod future;
mod guard;
mod log;
mod mark;
mod owner;
mod place;

pub use cell::{TenantCell, TenantCellGuard};
pub use future::{InTenant, TenantFutureExt};
pub use guard::TenantGuard;

use crate::{TenantContextNotSetError, TenantId};
use current::current;
use entry::Held;
use place::Place;

/// The tenant of whoever runs now.
///
/// A context belongs to whoever set it; everybody else sees none.
///
/// | where | whose it is |
/// | --- | --- |
/// | host, feature `std` | the thread's |
/// | host, feature `tokio` | the tokio task's; outside of tasks the thread's |
/// | Arm M-profile | the program's, or the interrupt handler's: by the exception number |
/// | other bare metal | everybody's, so a handler's body runs inside [`interrupt`](Self::interrupt) |
///
/// A spawned task, a new thread and a blocking pool start unset: carry a context over by
/// [`in_current_tenant`](TenantFutureExt::in_current_tenant) or [`bind`](Self::bind).
///
/// With `std` alone, a bare [`set`](Self::set) in an async task is the thread's: the next task there sees
/// it. Wrap each task in [`in_tenant`](TenantFutureExt::in_tenant) or
/// [`in_own_context`](TenantFutureExt::in_own_context), or enable `tokio`, with which the set is the
/// task's: on another worker it reads as unset.
///
/// ```
/// use tenancy::{TenantContext, TenantId};
///
/// let acme = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
///
/// TenantContext::scope(acme, || {
///     assert_eq!(TenantContext::get(), Ok(acme));
/// });
/// assert!(!TenantContext::is_set());
/// # Ok::<(), tenancy::InvalidTenantIdError>(())
/// ```
#[derive(Debug)]
pub struct TenantContext(());

impl TenantContext {
    /// Sets the caller's tenant, until it is set again or cleared.
    ///
    /// [`scope`](Self::scope) can't be forgotten: prefer it. In an interrupt handler `set` works only inside
    /// a scope of that handler: elsewhere the next activation could read it, so nothing is set, and with
    /// the feature `defmt` an error is logged.
    ///
    /// # Panics
    ///
    /// In a debug build, in an interrupt handler outside a scope.
    #[inline]
    pub fn set(tenant: TenantId) {
        place::set(current(), tenant);
    }

    /// The caller's tenant.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] where none is set, or somebody else's.
    #[inline]
    pub fn get() -> Result<TenantId, TenantContextNotSetError> {
        Self::get_optional().ok_or(TenantContextNotSetError)
    }

    /// The caller's tenant, if one is set.
    #[inline]
    pub fn get_optional() -> Option<TenantId> {
        current().seen().tenant()
    }

    /// The caller's tenant as text, if one is set: hyphenated, in lower case.
    pub fn get_value() -> Option<heapless::String<36>> {
        Self::get_optional().map(|tenant| tenant.to_text())
    }

    /// Whether the caller has a tenant.
    #[inline]
    pub fn is_set() -> bool {
        current().seen() != Held::NONE
    }

    /// Clears the caller's tenant.
    #[inline]
    pub fn clear() {
        place::clear(current());
    }

    /// Runs `body` in `tenant`, and restores what was before: on return and on panic.
    #[inline]
    pub fn scope<R>(tenant: TenantId, body: impl FnOnce() -> R) -> R {
        place::scope(current(), tenant.into(), body)
    }

    /// Enters `tenant` until the guard is dropped; [`scope`](Self::scope) can't be left in a wrong order.
    ///
    /// Don't hold the guard over an `await`: use [`in_tenant`](TenantFutureExt::in_tenant).
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn enter(tenant: TenantId) -> TenantGuard {
        TenantGuard::enter(tenant)
    }

    /// Runs the body of an interrupt handler: it starts unset, and what it interrupted comes back after it.
    ///
    /// On RISC-V, where no register tells that a handler runs, every handler's body belongs in here: without
    /// it the handler sees the interrupted code's tenant.
    #[inline]
    pub fn interrupt<R>(body: impl FnOnce() -> R) -> R {
        place::scope(current(), Held::NONE, body)
    }

    /// Carries the caller's tenant, or that there is none, over to wherever the closure is called.
    ///
    /// ```
    /// use tenancy::{TenantContext, TenantId};
    ///
    /// let work = TenantContext::scope(TenantId::PLATFORM, || TenantContext::bind(TenantContext::get));
    /// let seen = std::thread::spawn(work).join().unwrap();
    /// assert_eq!(seen, Ok(TenantId::PLATFORM));
    /// ```
    pub fn bind<R, F: FnOnce() -> R>(body: F) -> impl FnOnce() -> R + use<R, F> {
        let held = current().seen();
        move || place::scope(current(), held, body)
    }
}
