//! How many connections a tenant has at once, so that others have some too.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tenancy::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const PER_TENANT: usize = 4;

/// The places of those tenants that have something to do.
#[derive(Default)]
pub(crate) struct Places(Mutex<HashMap<TenantId, Arc<Semaphore>>>);

impl Places {
    /// One of the tenant's, once it is free. It is given back when it is dropped.
    pub(crate) async fn take(&self, tenant: TenantId) -> Option<OwnedSemaphorePermit> {
        // It is never closed: there is one always.
        self.of(tenant).acquire_owned().await.ok()
    }

    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, places| Arc::strong_count(places) > 1);
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(PER_TENANT))))
    }
}

/// Shows no tenant.
impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}
