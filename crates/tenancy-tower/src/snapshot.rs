//! A directory in memory.

use std::convert::Infallible;
use std::fmt;
use std::task::Poll;

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use tenancy::{TenantId, TenantStatus};

use crate::Directory;

/// A directory in memory that is read without a lock.
///
/// A change copies the whole table, 20 bytes per tenant, while readers use the previous one. So this is for directories
/// that are read a thousand times more often than they change. [`update`](Self::update) makes many changes by one copy.
///
/// ```
/// use tenancy::{TenantId, TenantStatus};
/// use tenancy_tower::SnapshotDirectory;
///
/// let directory: SnapshotDirectory = [(TenantId::PLATFORM, TenantStatus::Active)].into_iter().collect();
/// directory.set(TenantId::PLATFORM, TenantStatus::Suspended);
/// assert_eq!(directory.get(TenantId::PLATFORM), Some(TenantStatus::Suspended));
/// ```
#[derive(Default)]
pub struct SnapshotDirectory(ArcSwap<HashMap<TenantId, TenantStatus>>);

impl SnapshotDirectory {
    /// Returns an empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the status of a tenant, or `None` for an unknown id.
    pub fn get(&self, tenant: TenantId) -> Option<TenantStatus> {
        self.0.load().get(&tenant).copied()
    }

    /// Adds a tenant or changes its status. Later requests see the change.
    pub fn set(&self, tenant: TenantId, status: TenantStatus) {
        self.update([(tenant, Some(status))]);
    }

    /// Removes a tenant.
    pub fn remove(&self, tenant: TenantId) {
        self.update([(tenant, None)]);
    }

    /// Makes several changes at once: a new status, or `None` to remove the tenant.
    pub fn update(&self, changes: impl IntoIterator<Item = (TenantId, Option<TenantStatus>)>) {
        let changes: Vec<_> = changes.into_iter().collect();
        // The closure runs again if another thread changed the table meanwhile.
        self.0.rcu(|tenants| {
            let mut tenants = HashMap::clone(tenants);
            for (tenant, status) in &changes {
                match status {
                    Some(status) => _ = tenants.insert(*tenant, *status),
                    None => _ = tenants.remove(tenant),
                }
            }
            tenants
        });
    }

    /// Replaces all tenants.
    pub fn replace(&self, tenants: impl IntoIterator<Item = (TenantId, TenantStatus)>) {
        self.0.store(tenants.into_iter().collect::<HashMap<_, _>>().into());
    }

    /// Returns the number of tenants, in any status.
    pub fn len(&self) -> usize {
        self.0.load().len()
    }

    /// Returns whether the directory is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<(TenantId, TenantStatus)> for SnapshotDirectory {
    fn from_iter<I: IntoIterator<Item = (TenantId, TenantStatus)>>(tenants: I) -> Self {
        Self(ArcSwap::from_pointee(tenants.into_iter().collect()))
    }
}

impl Directory for SnapshotDirectory {
    type Error = Infallible;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Infallible> {
        Ok(self.get(tenant))
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        Poll::Ready(self.get(tenant))
    }
}

/// Shows the number of tenants only.
impl fmt::Debug for SnapshotDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotDirectory").field("len", &self.len()).finish()
    }
}
