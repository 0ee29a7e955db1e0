//! Stores of agents.

mod by_ref;
pub mod fixed;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod shared;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use tenancy::TenantContext;

use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::AgentError;
use crate::id::AgentId;
use crate::query::{Filter, Query};

/// How often [`Store::change`] is repeated by stores that do not implement it.
const TRIES: usize = 64;

/// A store of agents: the memory, files or database of an [`AgentRegistry`](crate::AgentRegistry).
///
/// The registry implements all rules except these, which each store must follow:
///
/// - Each method reads [`TenantContext`] before it first waits, and fails if no tenant is set. No method has a tenant
///   as an argument.
/// - A read returns only agents that are [visible to](Agent::is_visible_to) the current tenant. The registry checks this
///   again.
/// - A write changes only agents of the current tenant.
/// - Each call takes effect as a whole or not at all, also beside concurrent calls.
pub trait Store: Send + Sync {
    /// Returns an agent, deleted or not.
    fn get(&self, id: AgentId) -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send;

    /// Returns the agent with this name that is not deleted: the tenant's own, or else a shared one.
    fn get_by_name(&self, name: &AgentName)
    -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send;

    /// Passes the agents that [match](Query::matches) to `each`, in the order of their ids, up to the query's limit.
    fn list(
        &self,
        query: &Query,
        each: impl FnMut(Agent) + Send,
    ) -> impl Future<Output = Result<(), AgentError>> + Send;

    /// Returns the number of agents that [match](Filter::matches).
    fn count(&self, filter: &Filter) -> impl Future<Output = Result<u64, AgentError>> + Send;

    /// Adds an agent of the current tenant.
    ///
    /// Fails with
    ///
    /// - [`AgentError::NameTaken`] if the tenant has an agent with the same id, or if neither is deleted, with the same
    ///   name;
    /// - [`AgentError::NameShared`] if the platform shares an agent with the same name, unless the new agent is deleted
    ///   or the tenant is the platform;
    /// - the errors of [`replace`](Self::replace) if the agent is shared.
    fn insert(&self, agent: &Agent) -> impl Future<Output = Result<(), AgentError>> + Send;

    /// Replaces the tenant's own agent with the same id if its revision is `revision`. Returns `false` if it has another
    /// revision, or if there is no such agent. The stored name, creation time and last heartbeat do not change.
    ///
    /// Fails with [`AgentError::NameHeld`] if the agent [is shared](Agent::is_shared) only after the replacement, and
    /// other tenants have agents of its name that are not deleted.
    fn replace(&self, agent: &Agent, revision: u64) -> impl Future<Output = Result<bool, AgentError>> + Send;

    /// Changes the tenant's own agent, deleted or not, in one transaction: reads it, calls `change`, and stores the
    /// result. Returns the result, or `None` if the tenant has no such agent; `change` is not called in this case.
    ///
    /// Nothing is stored if `change` returns an error, which is the result then, or if it leaves the agent as it was.
    /// `change` may be called again with a newer agent. The id, tenant, name, creation time and last heartbeat do not
    /// change.
    ///
    /// The stores of this crate let concurrent changes of one agent wait for each other. This implementation, for
    /// other stores, repeats [`get`](Self::get) and [`replace`](Self::replace), and fails with
    /// [`AgentError::Contention`] if other changes come first each time.
    ///
    /// Fails as [`replace`](Self::replace) does, and with the errors of `change`.
    fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        mut change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> impl Future<Output = Result<Option<Agent>, E>> + Send {
        async move {
            let tenant = TenantContext::get().map_err(AgentError::from)?;
            for _ in 0..TRIES {
                let Some(old) = self.get(id).await?.filter(|agent| agent.tenant == tenant) else {
                    return Ok(None);
                };
                let new = changed(&old, &mut change)?;
                if new == old || self.replace(&new, old.revision).await? {
                    return Ok(Some(new));
                }
            }
            Err(AgentError::Contention.into())
        }
    }

    /// Stores the time of a heartbeat of the tenant's own agent, unless a later one is stored. Returns `false` if there
    /// is no such agent, or if it is deleted.
    fn touch(&self, id: AgentId, at: UnixMillis) -> impl Future<Output = Result<bool, AgentError>> + Send;
}

/// Returns the changed copy of an agent. What no change may touch is as before.
fn changed<E>(old: &Agent, change: &mut impl FnMut(&mut Agent) -> Result<(), E>) -> Result<Agent, E> {
    let mut new = old.clone();
    change(&mut new)?;
    (new.id, new.tenant, new.created_at, new.last_seen_at) =
        (old.id, old.tenant, old.created_at, old.last_seen_at);
    if new.name != old.name {
        new.name.clone_from(&old.name);
    }
    Ok(new)
}
