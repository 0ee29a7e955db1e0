//! Tenants, and exclusive use of the context.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tenancy::TenantId;

/// Waits until no other test of this process uses the current context.
///
/// Without the feature `std` all threads share one slot. A test in another thread cannot see this test's tenant, but it
/// can replace it.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the tenant of a number. Different numbers give different tenants.
pub(crate) fn tenant(number: u64) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

/// Returns the number of a tenant that [`tenant`] returned.
pub(crate) fn number(tenant: TenantId) -> u64 {
    u64::from_be_bytes(tenant.as_bytes()[8..].try_into().expect("eight bytes"))
}

/// Panics without calling the panic hook, so that expected panics do not fill the log.
#[cfg(any(feature = "std", feature = "tracing"))]
pub(crate) fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
