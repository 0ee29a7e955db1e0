//! A directory in fixed memory.

use core::fmt;

use super::{TenantRecord, TenantStatus};
use crate::table::Table;
use crate::{TenantError, TenantId, TenantNotFoundError};

/// Up to `N` tenants, without an allocator: 81 bytes each.
///
/// `N` is any number. A search looks at one or two records while a quarter of the places is free; in a full
/// directory, for an unknown id, at all of them.
///
/// The hash suits ids that the operator chose, and takes half of FNV's time. It has no secret key: do not
/// let tenants choose the ids that are inserted. The ids that are looked for may be anybody's.
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
    /// A directory of no tenants.
    pub const fn new() -> Self {
        Self(Table::new())
    }

    /// Adds a tenant, or replaces the record of the same id and gives the old one.
    ///
    /// # Errors
    ///
    /// The record itself, where there is no room for it; the directory is as before.
    pub fn insert(&mut self, record: TenantRecord) -> Result<Option<TenantRecord>, TenantRecord> {
        match self.0.get_mut(record.id()) {
            Some(known) => Ok(Some(core::mem::replace(known, record))),
            None => self.0.push(record).map(|_| None),
        }
    }

    /// Takes a tenant out.
    pub fn remove(&mut self, id: TenantId) -> Option<TenantRecord> {
        let place = self.0.entries(id).next()?.0;
        self.0.take(place)
    }

    /// The record of a tenant, in whatever state.
    #[inline]
    pub fn get(&self, id: TenantId) -> Option<&TenantRecord> {
        self.0.get(id)
    }

    /// The record of a tenant for which work may be done.
    ///
    /// # Errors
    ///
    /// [`TenantNotFoundError`] for an unknown id;
    /// [`TenantValidationError`](crate::TenantValidationError) for a tenant that is not active.
    #[inline]
    pub fn verify(&self, id: TenantId) -> Result<TenantRecord, TenantError> {
        let record = self.get(id).ok_or(TenantNotFoundError::new(id))?;
        record.status().verify(id)?;
        Ok(*record)
    }

    /// Changes the state of a tenant, and gives the one before.
    ///
    /// # Errors
    ///
    /// [`TenantNotFoundError`] for an unknown id.
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

    /// All records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &TenantRecord> {
        self.0.iter()
    }

    /// How many tenants there are, in whatever state.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no tenant.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tenants there is room for.
    pub const fn capacity(&self) -> usize {
        N
    }
}

impl<const N: usize> Default for FixedDirectory<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how many tenants there are, and none of them.
impl<const N: usize> fmt::Debug for FixedDirectory<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedDirectory").field("len", &self.len()).field("capacity", &N).finish()
    }
}
