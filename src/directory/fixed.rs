//! A directory in fixed memory.

use core::fmt;

use super::{TenantRecord, TenantStatus};
use crate::table::Table;
use crate::{TenantError, TenantId, TenantNotFoundError};

/// A directory of up to `N` tenants in fixed memory, 81 bytes each.
///
/// `N` is any number. A lookup compares one or two records if a quarter of the places is free. In a full directory the
/// lookup of an unknown id compares all records.
///
/// The hash function has no secret key and takes half the time of FNV. It is meant for ids that the operator chose: do not
/// let tenants choose the ids that are inserted. The ids of lookups may come from anyone.
///
/// ```
/// use tenancy::{FixedDirectory, TenantError, TenantRecord, TenantSlug, TenantStatus, tenant_id};
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// let mut directory = FixedDirectory::<16>::new();
/// directory.insert(TenantRecord::new(acme, TenantSlug::parse("acme").unwrap(), TenantStatus::Active)).unwrap();
///
/// assert_eq!(directory.verify(acme).unwrap().slug().as_str(), "acme");
/// directory.set_status(acme, TenantStatus::Suspended).unwrap();
/// assert!(matches!(directory.verify(acme), Err(TenantError::TenantValidation(_))));
/// ```
#[derive(Clone)]
pub struct FixedDirectory<const N: usize>(Table<TenantRecord, N>);

impl<const N: usize> FixedDirectory<N> {
    /// Creates an empty directory.
    pub const fn new() -> Self {
        Self(Table::new())
    }

    /// Inserts a tenant's record, and returns the record with the same id that it replaces.
    ///
    /// # Errors
    ///
    /// Returns the record if the directory is full. The directory is not changed then.
    pub fn insert(&mut self, record: TenantRecord) -> Result<Option<TenantRecord>, TenantRecord> {
        match self.0.get_mut(record.id()) {
            Some(known) => Ok(Some(core::mem::replace(known, record))),
            None => self.0.push(record).map(|_| None),
        }
    }

    /// Removes and returns a tenant's record.
    pub fn remove(&mut self, id: TenantId) -> Option<TenantRecord> {
        let place = self.0.entries(id).next()?.0;
        self.0.take(place)
    }

    /// Returns the record of a tenant in any state.
    #[inline]
    pub fn get(&self, id: TenantId) -> Option<&TenantRecord> {
        self.0.get(id)
    }

    /// Returns the record of an active tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TenantNotFoundError`] for an unknown id, and
    /// [`TenantValidationError`](crate::TenantValidationError) for a tenant that is not active.
    #[inline]
    pub fn verify(&self, id: TenantId) -> Result<TenantRecord, TenantError> {
        let record = self.get(id).ok_or(TenantNotFoundError::new(id))?;
        record.status().verify(id)?;
        Ok(*record)
    }

    /// Changes the state of a tenant, and returns the previous state.
    ///
    /// # Errors
    ///
    /// Returns [`TenantNotFoundError`] for an unknown id.
    pub fn set_status(
        &mut self,
        id: TenantId,
        status: TenantStatus,
    ) -> Result<TenantStatus, TenantNotFoundError> {
        let record = self.0.get_mut(id).ok_or(TenantNotFoundError::new(id))?;
        let before = record.status();
        *record = record.with_status(status);
        Ok(before)
    }

    /// Returns all records, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &TenantRecord> {
        self.0.iter()
    }

    /// Returns the number of tenants in any state.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no tenant.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the largest number of tenants.
    pub const fn capacity(&self) -> usize {
        N
    }
}

impl<const N: usize> Default for FixedDirectory<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the number of tenants, and no tenant.
impl<const N: usize> fmt::Debug for FixedDirectory<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedDirectory").field("len", &self.len()).field("capacity", &N).finish()
    }
}
