//! The guard of [`TenantContext::enter`](crate::TenantContext::enter).

use core::fmt;
use core::marker::PhantomData;

use super::current::{self, Token};
use crate::TenantId;

/// A guard that holds a tenant in the current context until it is dropped: see [`TenantContext::enter`].
///
/// A guard that is dropped in order restores the previous state. A guard that is dropped out of order clears the context,
/// because the previous state may have ended.
///
/// A guard cannot be sent to another thread, which has a context of its own:
///
/// ```compile_fail,E0277
/// let guard = tenancy::TenantContext::enter(tenancy::TenantId::PLATFORM);
/// std::thread::spawn(move || drop(guard));
/// ```
///
/// [`TenantContext::enter`]: crate::TenantContext::enter
#[must_use = "the tenant is left when the guard is dropped"]
pub struct TenantGuard {
    token: Option<Token>,
    not_send: PhantomData<*const ()>,
}

impl TenantGuard {
    pub(super) fn enter(tenant: TenantId) -> Self {
        Self { token: current::enter(tenant), not_send: PhantomData }
    }
}

impl Drop for TenantGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            current::leave(token);
        }
    }
}

impl fmt::Debug for TenantGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantGuard").finish_non_exhaustive()
    }
}
