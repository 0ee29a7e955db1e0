//! The tenants, and what the platform tenant does with them.

pub mod http;
pub mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tenancy::{TenantId, TenantRecord, TenantStatus};
use tenancy_tower::Snapshot;

/// As many as there are buckets for in the rate limit: none is refused because there are too many.
pub const MOST_TENANTS: usize = 4096;

/// All tenants: with their names for the platform, and by state alone for the tenant layer, which reads them
/// at each request and takes no lock for it.
pub struct Tenants {
    records: Mutex<BTreeMap<TenantId, TenantRecord>>,
    directory: Arc<Snapshot>,
}

/// Why a tenant is not created, or stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantsError {
    /// There is no such tenant.
    Unknown,
    /// Another has the id or the slug.
    Taken,
    /// There are [as many](MOST_TENANTS) as there may be.
    Full,
    /// The platform tenant is not suspended: nobody could resume it.
    Platform,
}

impl Tenants {
    /// These tenants.
    pub fn new(records: impl IntoIterator<Item = TenantRecord>) -> Self {
        let records: BTreeMap<_, _> = records.into_iter().map(|record| (record.id(), record)).collect();
        let directory: Snapshot = records.values().map(|record| (record.id(), record.status())).collect();
        Self { records: Mutex::new(records), directory: Arc::new(directory) }
    }

    /// What the tenant layer asks: a change is there from the next request on.
    pub fn directory(&self) -> Arc<Snapshot> {
        Arc::clone(&self.directory)
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<TenantId, TenantRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tenant, in whatever state.
    pub fn get(&self, id: TenantId) -> Option<TenantRecord> {
        self.records().get(&id).copied()
    }

    /// At most `limit` tenants with a greater id than `after`, by their ids.
    pub fn list(&self, after: Option<TenantId>, limit: usize) -> Vec<TenantRecord> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records().range((first, Bound::Unbounded)).take(limit).map(|(_, record)| *record).collect()
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// Where its id or slug is taken, or there is no room.
    pub fn create(&self, record: TenantRecord) -> Result<(), TenantsError> {
        let mut records = self.records();
        if records.values().any(|other| other.id() == record.id() || other.slug() == record.slug()) {
            return Err(TenantsError::Taken);
        }
        if records.len() >= MOST_TENANTS {
            return Err(TenantsError::Full);
        }
        records.insert(record.id(), record);
        // Under the lock: two changes are in both in the same order.
        self.directory.set(record.id(), record.status());
        Ok(())
    }

    /// Suspends or resumes a tenant, which may be so already.
    ///
    /// # Errors
    ///
    /// For an unknown tenant, and for the platform's, which stays active.
    pub fn set_status(&self, id: TenantId, status: TenantStatus) -> Result<TenantRecord, TenantsError> {
        if id.is_platform() && status != TenantStatus::Active {
            return Err(TenantsError::Platform);
        }
        let mut records = self.records();
        let record = records.get_mut(&id).ok_or(TenantsError::Unknown)?;
        *record = record.with_status(status);
        self.directory.set(id, status);
        Ok(*record)
    }
}

/// Shows how many tenants there are, and none of them.
impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("len", &self.records().len()).finish_non_exhaustive()
    }
}
