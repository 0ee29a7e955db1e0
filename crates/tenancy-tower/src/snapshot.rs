//! A directory in memory.

use std::convert::Infallible;
use std::fmt;
use std::task::Poll;

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use tenancy::{TenantId, TenantStatus};

use crate::Directory;

/// All tenants in memory: read without a lock, and replaced as a whole while it is read.
///
/// A change copies the table, 20 bytes a tenant: for a directory that is read a thousand times more often
/// than it changes. [`update`](Self::update) makes many changes of one copy.
///
/// ```
/// use tenancy::{TenantId, TenantStatus};
/// use tenancy_tower::Snapshot;
///
/// let directory: Snapshot = [(TenantId::PLATFORM, TenantStatus::Active)].into_iter().collect();
/// directory.set(TenantId::PLATFORM, TenantStatus::Suspended);
/// assert_eq!(directory.get(TenantId::PLATFORM), Some(TenantStatus::Suspended));
/// ```
#[derive(Default)]
pub struct Snapshot(ArcSwap<HashMap<TenantId, TenantStatus>>);

impl Snapshot {
    /// No tenants.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state of a tenant; `None` for an unknown id.
    pub fn get(&self, tenant: TenantId) -> Option<TenantStatus> {
        self.0.load().get(&tenant).copied()
    }

    /// Adds a tenant, or changes its state: from the next request on.
    pub fn set(&self, tenant: TenantId, status: TenantStatus) {
        self.update([(tenant, Some(status))]);
    }

    /// Takes a tenant out.
    pub fn remove(&self, tenant: TenantId) {
        self.update([(tenant, None)]);
    }

    /// Makes all of these changes at once: a state, or `None` to take the tenant out.
    pub fn update(&self, changes: impl IntoIterator<Item = (TenantId, Option<TenantStatus>)>) {
        let changes: Vec<_> = changes.into_iter().collect();
        // Again, if another change came in between.
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

    /// How many tenants there are, in whatever state.
    pub fn len(&self) -> usize {
        self.0.load().len()
    }

    /// Whether there is no tenant.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<(TenantId, TenantStatus)> for Snapshot {
    fn from_iter<I: IntoIterator<Item = (TenantId, TenantStatus)>>(tenants: I) -> Self {
        Self(ArcSwap::from_pointee(tenants.into_iter().collect()))
    }
}

impl Directory for Snapshot {
    type Error = Infallible;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Infallible> {
        Ok(self.get(tenant))
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        Poll::Ready(self.get(tenant))
    }
}

/// Shows how many tenants there are, and none of them.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("len", &self.len()).finish()
    }
}
