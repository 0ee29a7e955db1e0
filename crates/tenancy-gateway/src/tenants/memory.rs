//! The store of tenants in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tenancy::{TenantId, TenantRecord, TenantStatus};
use tenancy_tower::SnapshotDirectory;

use super::error::{MOST_TENANTS, TenantsError};

/// All tenants: their records for the platform, and their status for the tenant layer, which reads it for each request
/// without a lock.
pub(super) struct MemoryTenants {
    records: Mutex<BTreeMap<TenantId, TenantRecord>>,
    directory: SnapshotDirectory,
}

impl MemoryTenants {
    pub(super) fn new(records: impl IntoIterator<Item = TenantRecord>) -> Self {
        let records: BTreeMap<_, _> = records.into_iter().map(|record| (record.id(), record)).collect();
        let directory: SnapshotDirectory =
            records.values().map(|record| (record.id(), record.status())).collect();
        Self { records: Mutex::new(records), directory }
    }

    /// Returns the status for the tenant layer. Changes are visible at once.
    pub(super) fn status(&self, id: TenantId) -> Option<TenantStatus> {
        self.directory.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.records().len()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<TenantId, TenantRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, id: TenantId) -> Option<TenantRecord> {
        self.records().get(&id).copied()
    }

    pub(super) fn list(&self, after: Option<TenantId>, limit: usize) -> Vec<TenantRecord> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records().range((first, Bound::Unbounded)).take(limit).map(|(_, record)| *record).collect()
    }

    pub(super) fn create(&self, record: TenantRecord) -> Result<(), TenantsError> {
        let mut records = self.records();
        check(&records, &record)?;
        records.insert(record.id(), record);
        // Under the lock, so that both parts see two changes in the same order.
        self.directory.set(record.id(), record.status());
        Ok(())
    }

    pub(super) fn set_status(
        &self,
        id: TenantId,
        status: TenantStatus,
    ) -> Result<TenantRecord, TenantsError> {
        let mut records = self.records();
        let record = changed(&records, id, status)?;
        records.insert(id, record);
        self.directory.set(id, status);
        Ok(record)
    }

    /// Checks that a tenant can be created.
    pub(super) fn check(&self, record: &TenantRecord) -> Result<(), TenantsError> {
        check(&self.records(), record)
    }

    /// Returns the record of a tenant with another status.
    pub(super) fn changed(&self, id: TenantId, status: TenantStatus) -> Result<TenantRecord, TenantsError> {
        changed(&self.records(), id, status)
    }
}

type Records = BTreeMap<TenantId, TenantRecord>;

fn check(records: &Records, record: &TenantRecord) -> Result<(), TenantsError> {
    if records.values().any(|other| other.id() == record.id() || other.slug() == record.slug()) {
        return Err(TenantsError::Taken);
    }
    if records.len() >= MOST_TENANTS { Err(TenantsError::Full) } else { Ok(()) }
}

fn changed(records: &Records, id: TenantId, status: TenantStatus) -> Result<TenantRecord, TenantsError> {
    let record = records.get(&id).ok_or(TenantsError::Unknown)?;
    if record.status() == TenantStatus::Deleted && status != TenantStatus::Deleted {
        return Err(TenantsError::Deleted);
    }
    Ok(record.with_status(status))
}
