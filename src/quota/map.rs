//! A map of tenants' values in fixed memory.

use core::fmt;

use crate::TenantId;
use crate::table::{Keyed, Table};

/// A map of up to `N` values of all tenants, with a limit for each tenant. One tenant cannot use up the others' share.
///
/// Each method accesses the values of one tenant only, in the order in which they were inserted.
///
/// ```
/// use tenancy::{TenantId, TenantMap, TenantMapFullKind, tenant_id};
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// let mut sessions = TenantMap::<&str, 8>::with_limit(2);
/// sessions.insert(acme, "one").unwrap();
/// sessions.insert(acme, "two").unwrap();
///
/// let error = sessions.insert(acme, "three").unwrap_err();
/// assert_eq!(error.kind(), TenantMapFullKind::Tenant);
/// assert_eq!(error.into_value(), "three");
/// assert_eq!(sessions.iter(TenantId::PLATFORM).count(), 0);
/// ```
#[derive(Clone)]
pub struct TenantMap<V, const N: usize> {
    table: Table<Owned<V>, N>,
    limit: usize,
}

#[derive(Clone)]
struct Owned<V> {
    tenant: TenantId,
    value: V,
}

impl<V> Keyed for Owned<V> {
    #[inline]
    fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// The map or the tenant's share of it is full. Contains the value that was not inserted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TenantMapFullError<V> {
    kind: TenantMapFullKind,
    value: V,
}

/// The limit that is reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TenantMapFullKind {
    /// The tenant has as many values as its limit permits.
    Tenant,
    /// All tenants together have as many values as the map can store.
    Map,
}

impl<V, const N: usize> TenantMap<V, N> {
    /// Creates an empty map with a limit of one value for each tenant.
    pub const fn new() -> Self {
        Self::with_limit(1)
    }

    /// Creates an empty map with a limit of `limit` values for each tenant.
    pub const fn with_limit(limit: usize) -> Self {
        Self { table: Table::new(), limit }
    }

    /// Inserts a value of a tenant, and returns a reference to it.
    ///
    /// # Errors
    ///
    /// Returns the value if the tenant's limit is reached or the map is full. The map is not changed then.
    pub fn insert(&mut self, tenant: TenantId, value: V) -> Result<&mut V, TenantMapFullError<V>> {
        if self.table.entries(tenant).count() >= self.limit {
            return Err(TenantMapFullError { kind: TenantMapFullKind::Tenant, value });
        }
        match self.table.push(Owned { tenant, value }) {
            Ok(entry) => Ok(&mut entry.value),
            Err(Owned { value, .. }) => Err(TenantMapFullError { kind: TenantMapFullKind::Map, value }),
        }
    }

    /// Returns the tenant's first value.
    #[inline]
    pub fn get(&self, tenant: TenantId) -> Option<&V> {
        self.table.get(tenant).map(|entry| &entry.value)
    }

    /// Returns a mutable reference to the tenant's first value.
    #[inline]
    pub fn get_mut(&mut self, tenant: TenantId) -> Option<&mut V> {
        self.table.get_mut(tenant).map(|entry| &mut entry.value)
    }

    /// Returns the tenant's values.
    pub fn iter(&self, tenant: TenantId) -> impl Iterator<Item = &V> {
        self.table.entries(tenant).map(|(_, entry)| &entry.value)
    }

    /// Returns mutable references to the tenant's values.
    pub fn iter_mut(&mut self, tenant: TenantId) -> impl Iterator<Item = &mut V> {
        self.table.entries_mut(tenant).map(|entry| &mut entry.value)
    }

    /// Removes and returns the tenant's first value for which `is_wanted` returns `true`.
    pub fn remove(&mut self, tenant: TenantId, mut is_wanted: impl FnMut(&V) -> bool) -> Option<V> {
        let place = self.table.entries(tenant).find(|(_, entry)| is_wanted(&entry.value))?.0;
        self.table.take(place).map(|entry| entry.value)
    }

    /// Drops all values of the tenant, and returns their number.
    pub fn clear(&mut self, tenant: TenantId) -> usize {
        let mut count = 0;
        while self.remove(tenant, |_| true).is_some() {
            count += 1;
        }
        count
    }

    /// Returns the number of values of all tenants.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether no tenant has a value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the largest number of values of all tenants.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Returns the largest number of values of one tenant.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Removes a value of any tenant for which `is_idle` returns `true`.
    pub(super) fn evict(&mut self, mut is_idle: impl FnMut(&V) -> bool) -> bool {
        let idle = self.table.iter().find(|entry| is_idle(&entry.value)).map(|entry| entry.tenant);
        idle.is_some_and(|tenant| self.remove(tenant, |value| is_idle(value)).is_some())
    }

    /// Returns the values of all tenants, for the limiter.
    pub(super) fn all(&self) -> impl Iterator<Item = &V> {
        self.table.iter().map(|entry| &entry.value)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.table.iter_mut().map(|entry| &mut entry.value)
    }
}

impl<V> TenantMapFullError<V> {
    /// Returns the limit that is reached.
    pub const fn kind(&self) -> TenantMapFullKind {
        self.kind
    }

    /// Returns the value that was not inserted.
    pub fn into_value(self) -> V {
        self.value
    }
}

impl<V, const N: usize> Default for TenantMap<V, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the number of values, and no value.
impl<V, const N: usize> fmt::Debug for TenantMap<V, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMap").field("len", &self.len()).field("capacity", &N).finish_non_exhaustive()
    }
}

/// Shows the kind, but not the value.
impl<V> fmt::Debug for TenantMapFullError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMapFullError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<V> fmt::Display for TenantMapFullError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TenantMapFullKind::Tenant => "tenant map full: the tenant's limit is reached",
            TenantMapFullKind::Map => "tenant map full: all places are used",
        })
    }
}

impl<V> core::error::Error for TenantMapFullError<V> {}
