//! Where agents are kept.

mod by_ref;
pub mod fixed;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod shared;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::AgentError;
use crate::id::AgentId;
use crate::query::{Filter, Query};

/// Where agents are kept: what an [`AgentRegistry`](crate::AgentRegistry) asks of memory or of a database.
///
/// The registry has the rules, and a store has none but these:
///
/// - Each method reads [`TenantContext`](tenancy::TenantContext) before it first waits, and fails where there is none.
///   No method is told a tenant.
/// - A read gives what [`is_visible_to`](Agent::is_visible_to) the tenant of the context, and nothing else. The
///   registry looks again.
/// - A write is to the tenant's own agents alone.
/// - What one call does is done whole or not at all, whoever calls at the same time.
pub trait Store: Send + Sync {
    /// An agent, deleted or not.
    fn get(&self, id: AgentId) -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send;

    /// The agent of a name, which is not deleted: the tenant's own, or else a shared one.
    fn get_by_name(&self, name: &AgentName)
    -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send;

    /// Those that [match](Query::matches), by their ids, of the limit at most.
    fn list(
        &self,
        query: &Query,
        each: impl FnMut(Agent) + Send,
    ) -> impl Future<Output = Result<(), AgentError>> + Send;

    /// How many [match](Filter::matches).
    fn count(&self, filter: &Filter) -> impl Future<Output = Result<u64, AgentError>> + Send;

    /// Adds an agent of the tenant's.
    ///
    /// Fails with [`AgentError::NameTaken`] where the tenant has one of its id, or where neither is deleted, of its
    /// name; with [`AgentError::NameShared`] where the platform shares one of its name, the agent is not deleted and
    /// the tenant is not the platform; as [`replace`](Self::replace) where it is shared itself.
    fn insert(&self, agent: &Agent) -> impl Future<Output = Result<(), AgentError>> + Send;

    /// Puts an agent in the place of the tenant's own of the same id, if that has the revision. False where it has
    /// another, or there is none. The last heartbeat stays as it is; its name and when it was made don't change.
    ///
    /// Fails with [`AgentError::NameHeld`] where it [is shared](Agent::is_shared) now, and was not, and other tenants
    /// have agents of its name that are not deleted.
    fn replace(&self, agent: &Agent, revision: u64) -> impl Future<Output = Result<bool, AgentError>> + Send;

    /// Notes a heartbeat of the tenant's own agent, unless a later one is noted. False where there is no such agent,
    /// or it is deleted.
    fn touch(&self, id: AgentId, at: UnixMillis) -> impl Future<Output = Result<bool, AgentError>> + Send;
}
