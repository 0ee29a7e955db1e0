//! Values of tenants in fixed memory.

use core::fmt;

use crate::TenantId;
use crate::table::{Keyed, Table};

/// Up to `N` values of all tenants together, and of each tenant no more than a limit: one tenant can't take
/// the room of the others.
///
/// Who asks names the tenant, and meets that tenant's values alone: in the order in which they were inserted.
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

/// There is no room for a value, which is in here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TenantMapFullError<V> {
    kind: TenantMapFullKind,
    value: V,
}

/// Whose room is taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TenantMapFullKind {
    /// The tenant has as many values as it may have.
    Tenant,
    /// All tenants together have as many values as there is room for.
    Map,
}

impl<V, const N: usize> TenantMap<V, N> {
    /// No values; a tenant may have one.
    pub const fn new() -> Self {
        Self::with_limit(1)
    }

    /// No values; a tenant may have as many as `limit`.
    pub const fn with_limit(limit: usize) -> Self {
        Self { table: Table::new(), limit }
    }

    /// Adds a value of a tenant, and gives it as it stands in the map.
    ///
    /// # Errors
    ///
    /// The value itself, and whose room is taken; the map is as before.
    pub fn insert(&mut self, tenant: TenantId, value: V) -> Result<&mut V, TenantMapFullError<V>> {
        if self.table.entries(tenant).count() >= self.limit {
            return Err(TenantMapFullError { kind: TenantMapFullKind::Tenant, value });
        }
        match self.table.push(Owned { tenant, value }) {
            Ok(entry) => Ok(&mut entry.value),
            Err(Owned { value, .. }) => Err(TenantMapFullError { kind: TenantMapFullKind::Map, value }),
        }
    }

    /// The tenant's first value.
    #[inline]
    pub fn get(&self, tenant: TenantId) -> Option<&V> {
        self.table.get(tenant).map(|entry| &entry.value)
    }

    /// The tenant's first value, to change.
    #[inline]
    pub fn get_mut(&mut self, tenant: TenantId) -> Option<&mut V> {
        self.table.get_mut(tenant).map(|entry| &mut entry.value)
    }

    /// The tenant's values.
    pub fn iter(&self, tenant: TenantId) -> impl Iterator<Item = &V> {
        self.table.entries(tenant).map(|(_, entry)| &entry.value)
    }

    /// The tenant's values, to change.
    pub fn iter_mut(&mut self, tenant: TenantId) -> impl Iterator<Item = &mut V> {
        self.table.entries_mut(tenant).map(|entry| &mut entry.value)
    }

    /// Takes out the first of the tenant's values that `is_wanted` says yes to.
    pub fn remove(&mut self, tenant: TenantId, mut is_wanted: impl FnMut(&V) -> bool) -> Option<V> {
        let place = self.table.entries(tenant).find(|(_, entry)| is_wanted(&entry.value))?.0;
        self.table.take(place).map(|entry| entry.value)
    }

    /// Drops all of the tenant's values, and gives their number.
    pub fn clear(&mut self, tenant: TenantId) -> usize {
        let mut count = 0;
        while self.remove(tenant, |_| true).is_some() {
            count += 1;
        }
        count
    }

    /// How many values all tenants have together.
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no tenant has a value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values all tenants may have together.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// How many values one tenant may have.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Takes out a value of any tenant that nobody will miss.
    pub(super) fn evict(&mut self, mut is_idle: impl FnMut(&V) -> bool) -> bool {
        let idle = self.table.iter().find(|entry| is_idle(&entry.value)).map(|entry| entry.tenant);
        idle.is_some_and(|tenant| self.remove(tenant, |value| is_idle(value)).is_some())
    }

    /// The values of all tenants, for the module's own sums.
    pub(super) fn all(&self) -> impl Iterator<Item = &V> {
        self.table.iter().map(|entry| &entry.value)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.table.iter_mut().map(|entry| &mut entry.value)
    }
}

impl<V> TenantMapFullError<V> {
    /// Whose room is taken.
    pub const fn kind(&self) -> TenantMapFullKind {
        self.kind
    }

    /// The value that found no room.
    pub fn into_value(self) -> V {
        self.value
    }
}

impl<V, const N: usize> Default for TenantMap<V, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how many values there are, and none of them.
impl<V, const N: usize> fmt::Debug for TenantMap<V, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMap").field("len", &self.len()).field("capacity", &N).finish_non_exhaustive()
    }
}

/// Shows the kind, and not the value.
impl<V> fmt::Debug for TenantMapFullError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMapFullError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<V> fmt::Display for TenantMapFullError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TenantMapFullKind::Tenant => "no room: the tenant has as many values as it may have",
            TenantMapFullKind::Map => "no room: all places are taken",
        })
    }
}

impl<V> core::error::Error for TenantMapFullError<V> {}
