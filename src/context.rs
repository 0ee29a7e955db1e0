//! The current tenant of a thread, task, core or interrupt.

mod cell;
#[cfg(any(target_os = "none", docsrs))]
mod device;
mod entry;
mod future;
mod guard;
#[cfg(not(target_os = "none"))]
mod host;
mod log;
mod owner;
mod slot;
mod stamp;
#[cfg(feature = "stream")]
mod stream;

pub use cell::{TenantCell, TenantCellGuard};
pub use future::{InTenant, TenantFutureExt};
pub use guard::TenantGuard;
#[cfg(feature = "stream")]
pub use stream::{InTenantStream, TenantStreamExt};

#[cfg(target_os = "none")]
use device as current;
#[cfg(not(target_os = "none"))]
use host as current;

use crate::{SetTenantContextError, TenantContextNotSetError, TenantId};
use current::Scope;
use entry::Held;

/// The current tenant of the caller.
///
/// A context belongs to the owner that set it, and no other owner sees it.
///
/// | where | owner |
/// | --- | --- |
/// | host, feature `std` | the thread |
/// | host, feature `tokio` | the tokio task; outside of tasks, the thread |
/// | Arm M-profile | the program or the interrupt handler, by the exception number |
/// | other bare metal | the program: run a handler's body inside of [`interrupt`](Self::interrupt) |
///
/// # Scopes and bare entries
///
/// A tenant is set for a region of code by [`scope`](Self::scope), [`enter`](Self::enter) or
/// [`in_tenant`](TenantFutureExt::in_tenant), or without a region by a *bare* [`set`](Self::set). [`get`](Self::get)
/// returns the tenant of the caller's innermost scope, and outside of its scopes the tenant of its bare `set`. A `set` or
/// `clear` inside of the caller's scope changes this scope only.
///
/// On hosts, no other owner changes either of them: another task that is polled inside of a scope, and sets or clears its
/// own tenant, does not change the scope's. On bare metal there is one slot. There an interrupt handler needs a scope of
/// its own to set a tenant, and each scope restores the interrupted code's tenant.
///
/// # Tasks and threads
///
/// A spawned task, a new thread and a blocking pool start without a tenant. Pass it on by
/// [`in_current_tenant`](TenantFutureExt::in_current_tenant) or [`bind`](Self::bind).
///
/// With `std` alone, a bare `set` in an async task belongs to the thread, so the next task on the thread sees it. Wrap each
/// task in [`in_tenant`](TenantFutureExt::in_tenant) or [`in_own_context`](TenantFutureExt::in_own_context), or enable
/// `tokio`. With `tokio` a bare `set` belongs to the task, and reads as unset after the task moved to another worker.
/// A program stores the bare entries of 4,096 tasks; if more tasks have one, an older entry reads as unset.
///
/// # Example
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
    /// Sets the caller's tenant until it is set again or cleared.
    ///
    /// Prefer [`scope`](Self::scope), which ends by itself. An interrupt handler can set only inside of a scope of its own.
    /// Outside of one, its next activation could read the tenant. So nothing is set, and with the feature `defmt` an error
    /// is logged.
    ///
    /// # Panics
    ///
    /// Panics in a debug build if an interrupt handler sets outside of a scope.
    #[inline]
    pub fn set(tenant: TenantId) {
        current::set(tenant);
    }

    /// Sets the caller's tenant as [`set`](Self::set) does, and returns an error where `set` panics.
    ///
    /// # Errors
    ///
    /// Returns [`SetTenantContextError`] if an interrupt handler sets outside of a scope. On hosts it never fails.
    ///
    /// ```
    /// use tenancy::{TenantContext, TenantId};
    ///
    /// TenantContext::try_set(TenantId::PLATFORM)?;
    /// assert_eq!(TenantContext::get(), Ok(TenantId::PLATFORM));
    /// # Ok::<(), tenancy::SetTenantContextError>(())
    /// ```
    #[inline]
    pub fn try_set(tenant: TenantId) -> Result<(), SetTenantContextError> {
        current::try_set(tenant)
    }

    /// Returns the caller's tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TenantContextNotSetError`] if no tenant is set, or if another owner set it.
    #[inline]
    pub fn get() -> Result<TenantId, TenantContextNotSetError> {
        Self::get_optional().ok_or(TenantContextNotSetError)
    }

    /// Returns the caller's tenant, if one is set.
    #[inline]
    pub fn get_optional() -> Option<TenantId> {
        current::seen().tenant()
    }

    /// Returns the caller's tenant as text, hyphenated and in lower case, if one is set.
    pub fn get_value() -> Option<heapless::String<36>> {
        Self::get_optional().map(|tenant| tenant.to_text())
    }

    /// Returns whether the caller has a tenant.
    #[inline]
    pub fn is_set() -> bool {
        current::seen() != Held::NONE
    }

    /// Clears the caller's tenant.
    #[inline]
    pub fn clear() {
        current::clear();
    }

    /// Runs `body` in `tenant`, and restores the previous state when `body` returns or panics.
    #[inline]
    pub fn scope<R>(tenant: TenantId, body: impl FnOnce() -> R) -> R {
        in_scope(tenant.into(), body)
    }

    /// Runs `body` without a tenant, and restores the previous state when `body` returns or panics.
    ///
    /// A signal handler that calls functions of this crate runs its body in here, because it runs on the stack of the code
    /// that it interrupted and would see its tenant.
    ///
    /// ```
    /// use tenancy::{TenantContext, TenantId};
    ///
    /// TenantContext::scope(TenantId::PLATFORM, || {
    ///     assert!(!TenantContext::without(TenantContext::is_set));
    ///     assert!(TenantContext::is_set());
    /// });
    /// ```
    #[inline]
    pub fn without<R>(body: impl FnOnce() -> R) -> R {
        in_scope(Held::NONE, body)
    }

    /// Enters `tenant` until the guard is dropped. Prefer [`scope`](Self::scope), which cannot be left out of order.
    ///
    /// Do not hold the guard across an `await`: use [`in_tenant`](TenantFutureExt::in_tenant).
    ///
    /// # Panics
    ///
    /// Panics as [`set`](Self::set) does.
    pub fn enter(tenant: TenantId) -> TenantGuard {
        TenantGuard::enter(tenant)
    }

    /// Runs the body of an interrupt handler without a tenant, and restores the interrupted code's tenant afterwards.
    ///
    /// On RISC-V no register tells that a handler runs. So the body of each handler must run in here: otherwise the handler
    /// sees the interrupted code's tenant. On hosts use [`without`](Self::without).
    #[inline]
    pub fn interrupt<R>(body: impl FnOnce() -> R) -> R {
        Self::without(body)
    }

    /// Returns a closure that runs `body` in the caller's current state, with its tenant or without one.
    ///
    /// ```
    /// use tenancy::{TenantContext, TenantId};
    ///
    /// let work = TenantContext::scope(TenantId::PLATFORM, || TenantContext::bind(TenantContext::get));
    /// let seen = std::thread::spawn(work).join().unwrap();
    /// assert_eq!(seen, Ok(TenantId::PLATFORM));
    /// ```
    ///
    /// Bind each job of a thread pool such as rayon's. A pool may run a job on the stack of a thread that waits inside of a
    /// scope, and a job that is not bound runs in this scope's tenant then.
    pub fn bind<R, F: FnOnce() -> R>(body: F) -> impl FnOnce() -> R + use<R, F> {
        let held = current::seen();
        move || in_scope(held, body)
    }

    /// Returns a closure that runs `body` in the caller's current state each time it is called: as [`bind`](Self::bind),
    /// for closures that are called repeatedly.
    ///
    /// ```
    /// use tenancy::{TenantContext, TenantId};
    ///
    /// let owner = TenantContext::scope(TenantId::PLATFORM, || {
    ///     TenantContext::bind_fn(|item: u32| (item, TenantContext::get()))
    /// });
    /// assert_eq!(owner(1), (1, Ok(TenantId::PLATFORM)));
    /// assert_eq!(owner(2), (2, Ok(TenantId::PLATFORM)));
    /// ```
    pub fn bind_fn<A, R, F: Fn(A) -> R>(body: F) -> impl Fn(A) -> R + use<A, R, F> {
        let held = current::seen();
        move |argument| in_scope(held, || body(argument))
    }
}

/// Runs `body` in a scope.
#[inline]
fn in_scope<R>(held: Held, body: impl FnOnce() -> R) -> R {
    let scope = Scope::begin(held);
    let result = body();
    scope.end();
    result
}
