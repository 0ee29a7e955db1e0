//! How much a tenant does at once, so that others can do something too.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tenancy::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of those tenants that have something to do.
pub(crate) struct Places {
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    each: usize,
}

impl Places {
    /// So many for each tenant.
    pub(crate) fn new(each: usize) -> Self {
        Self { tenants: Mutex::default(), each }
    }

    /// One of the tenant's, once it is free. It is given back when it is dropped.
    pub(crate) async fn take(&self, tenant: TenantId) -> Option<OwnedSemaphorePermit> {
        // It is never closed: there is one always.
        self.of(tenant).acquire_owned().await.ok()
    }

    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, places| Arc::strong_count(places) > 1);
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

/// Shows no tenant.
impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}
