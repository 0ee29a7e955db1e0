//! The connection of one tenant.

use std::fmt;

use tenancy::{TenantContext, TenantContextNotSetError, TenantId};

use crate::policy::RedisPolicy;
use crate::scope::{Sharing, TenantScope};
use crate::scripts::TrustedScripts;
#[cfg(feature = "tokio")]
use crate::writer::CmdBuffer;
use crate::writer::PackedBuffer;

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
    pub(crate) scope: TenantScope,
    /// The command that a sync connection sends.
    pub(crate) packed: PackedBuffer,
    /// The command that an async connection sends.
    #[cfg(feature = "tokio")]
    pub(crate) cmd: CmdBuffer,
}

impl<C> TenantRedis<C> {
    /// The connection, for one tenant.
    ///
    /// Wrap the connection itself: around another `TenantRedis` each key would get both prefixes.
    pub fn new(connection: C, tenant: TenantId) -> Self {
        Self::within(connection, TenantScope::new(tenant, Sharing::Shared))
    }

    /// A connection that this tenant alone uses, now and later: `WATCH` works on it, and `redis::transaction`, and
    /// so does what blocks.
    ///
    /// Give it no clone of a connection that another tenant has, for that one would wait too, and none that goes
    /// back to a pool, for what it watches goes with it.
    pub fn dedicated(connection: C, tenant: TenantId) -> Self {
        Self::within(connection, TenantScope::new(tenant, Sharing::Dedicated))
    }

    /// The connection, for the tenant of the context. It stays that tenant's, wherever it is used.
    ///
    /// # Errors
    ///
    /// [`TenantContextNotSetError`] where there is none.
    pub fn current(connection: C) -> Result<Self, TenantContextNotSetError> {
        Ok(Self::new(connection, TenantContext::get()?))
    }

    fn within(connection: C, scope: TenantScope) -> Self {
        Self {
            connection,
            scope,
            packed: PackedBuffer::default(),
            #[cfg(feature = "tokio")]
            cmd: CmdBuffer::default(),
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.scope.prefix.tenant()
    }

    /// The tenant's keys under a name, apart from its others: its cache, its locks.
    ///
    /// Within the namespace keys have the names that they were given; without it they begin with `name:`. It keeps
    /// parts of one tenant's data from meeting by accident, not from each other. A namespace in a namespace is one.
    ///
    /// # Panics
    ///
    /// Where the name is not 1 to 32 letters, digits, `-` or `_`, or there are two namespaces already.
    #[must_use]
    pub fn namespace(mut self, name: &'static str) -> Self {
        self.scope.prefix = self.scope.prefix.namespace(name);
        self
    }

    /// What the tenant may send, and how long it is kept.
    #[must_use]
    pub fn policy(mut self, policy: RedisPolicy) -> Self {
        self.scope.policy = Some(policy);
        self
    }

    /// The scripts that may run here. Without it there are none.
    #[must_use]
    pub fn scripts(mut self, scripts: &'static TrustedScripts) -> Self {
        self.scope.scripts = Some(scripts);
        self
    }
}

impl<C: Clone> Clone for TenantRedis<C> {
    fn clone(&self) -> Self {
        Self::within(self.connection.clone(), self.scope)
    }
}

/// Whose it is: the connection may show an address, and the last command its values.
impl<C> fmt::Debug for TenantRedis<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantRedis").field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}
