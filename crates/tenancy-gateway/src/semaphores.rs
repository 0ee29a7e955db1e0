//! Limits of concurrent work for each tenant.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tenancy::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A semaphore for each tenant that has work in progress.
pub(crate) struct TenantSemaphores {
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    each: usize,
}

impl TenantSemaphores {
    /// Creates semaphores with this number of permits for each tenant.
    pub(crate) fn new(each: usize) -> Self {
        Self { tenants: Mutex::default(), each }
    }

    /// Waits for a permit of the tenant. Dropping it releases it.
    pub(crate) async fn acquire(&self, tenant: TenantId) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so a permit is always returned.
        self.of(tenant).acquire_owned().await.ok()
    }

    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

/// Shows no tenant.
impl fmt::Debug for TenantSemaphores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantSemaphores").finish_non_exhaustive()
    }
}
