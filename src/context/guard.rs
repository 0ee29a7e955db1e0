//! The guard of [`TenantContext::enter`](crate::TenantContext::enter).

use core::fmt;
use core::marker::PhantomData;

use super::current::{Current, current};
use super::entry::Token;
use super::place::{self, Place};
use crate::TenantId;

/// Holds a tenant in the current context until it is dropped.
///
/// Dropped in order, it restores what it replaced. Dropped out of order, it clears the context: what it
/// replaced may have ended, and nobody may see it again.
///
/// It can't be sent to another thread, whose context is another:
///
/// ```compile_fail,E0277
/// let guard = tenancy::TenantContext::enter(tenancy::TenantId::PLATFORM);
/// std::thread::spawn(move || drop(guard));
/// ```
#[must_use = "the tenant is left when the guard is dropped"]
pub struct TenantGuard {
    token: Option<Token<<Current as Place>::Owner>>,
    not_send: PhantomData<*const ()>,
}

impl TenantGuard {
    pub(super) fn enter(tenant: TenantId) -> Self {
        Self { token: place::enter(current(), tenant), not_send: PhantomData }
    }
}

impl Drop for TenantGuard {
    fn drop(&mut self) {
        place::leave(current(), self.token.as_ref());
    }
}

impl fmt::Debug for TenantGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantGuard").finish_non_exhaustive()
    }
}
