//! The connection of one tenant.

use std::fmt;

use redis::Cmd;
use tenancy::{TenantContext, TenantContextNotSetError, TenantId, TenantPrefix};

use crate::rewrite::Mode;

/// A connection that cannot leave its tenant.
///
/// It is a connection of redis-rs itself: `Commands` and `AsyncCommands`, pipelines, transactions and scan
/// iterators work on it as on the one that it wraps, and see the tenant's keys under the names that the tenant
/// gave them. What can't be confined is [refused](crate::refusal), before anything is sent.
///
/// The connection inside may be shared with other tenants: what changes its state or blocks it is refused, unless
/// it is [dedicated](Self::dedicated). It can't be taken out again.
///
/// ```compile_fail,E0616
/// fn raw(redis: tenancy_redis::TenantRedis<redis::Connection>) -> redis::Connection { redis.connection }
/// ```
///
/// ```compile_fail,E0614
/// fn raw(redis: tenancy_redis::TenantRedis<redis::Connection>) -> redis::Connection { *redis }
/// ```
pub struct TenantRedis<C> {
    pub(crate) connection: C,
    pub(crate) prefix: TenantPrefix,
    pub(crate) mode: Mode,
    /// The command that is being sent: kept for its memory.
    pub(crate) scratch: Cmd,
}

impl<C> TenantRedis<C> {
    /// The connection, for one tenant.
    ///
    /// Wrap the connection itself: around another `TenantRedis` each key would get both prefixes.
    pub fn new(connection: C, tenant: TenantId) -> Self {
        Self { connection, prefix: TenantPrefix::new(tenant), mode: Mode::Shared, scratch: Cmd::new() }
    }

    /// A connection that this tenant alone uses, now and later: `WATCH` works on it, and `redis::transaction`, and
    /// so does what blocks.
    ///
    /// Give it no clone of a connection that another tenant has, for that one would wait too, and none that goes
    /// back to a pool, for what it watches goes with it.
    pub fn dedicated(connection: C, tenant: TenantId) -> Self {
        Self { mode: Mode::Dedicated, ..Self::new(connection, tenant) }
    }

    /// The connection, for the tenant of the context. It stays that tenant's, wherever it is used.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] where there is none.
    pub fn current(connection: C) -> Result<Self, TenantContextNotSetError> {
        Ok(Self::new(connection, TenantContext::get()?))
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.prefix.tenant()
    }
}

impl<C: Clone> Clone for TenantRedis<C> {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            prefix: self.prefix,
            mode: self.mode,
            scratch: Cmd::new(),
        }
    }
}

/// Whose it is: the connection may show an address, and the last command its values.
impl<C> fmt::Debug for TenantRedis<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantRedis").field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}
