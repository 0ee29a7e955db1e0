//! The store of agents, selected at the start.

use std::fmt;
use std::sync::Arc;

use tenancy::TenantContext;
use tenancy_agents::{
    Agent, AgentError, AgentId, AgentName, Filter, FixedStore, PgStore, Query, SqliteStore, Store,
    StoreError, UnixMillis,
};
use tenancy_sqlite::TenantFiles;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::database::{Database, LONGEST};
use crate::semaphores::TenantSemaphores;

/// The maximum number of agents of all tenants in memory.
const MOST_IN_MEMORY: usize = 256;
/// The maximum number of agents of one tenant in memory.
const QUOTA_IN_MEMORY: usize = 64;

/// The store of agents.
pub struct AgentStore {
    backend: Backend,
    /// Limits how many connections of the database, or threads that wait for files, one tenant uses.
    permits: Option<Arc<TenantSemaphores>>,
}

enum Backend {
    /// A database that instances share.
    Database(PgStore),
    /// A file for each tenant.
    Files(SqliteStore),
    /// Memory.
    Memory(Box<FixedStore<MOST_IN_MEMORY>>),
}

impl AgentStore {
    /// Creates a store in a database, with a maximum number of agents per tenant.
    pub fn database(database: &Database, quota: usize) -> Self {
        let store = PgStore::new(database.db.clone()).timeout(LONGEST).quota(quota);
        Self { backend: Backend::Database(store), permits: Some(Arc::clone(&database.permits)) }
    }

    /// Creates a store in files, with a maximum number of agents per tenant.
    pub fn files(files: TenantFiles, quota: usize) -> Self {
        let store = SqliteStore::new(files).quota(quota);
        // A tenant's calls run one after the other; a second one may wait on its thread.
        Self { backend: Backend::Files(store), permits: Some(Arc::new(TenantSemaphores::new(2))) }
    }

    /// Creates a store in memory, with at most 64 agents per tenant.
    pub fn memory() -> Self {
        Self::with_quota_in_memory(QUOTA_IN_MEMORY)
    }

    /// Creates a store in memory, with a maximum number of agents per tenant.
    pub fn with_quota_in_memory(quota: usize) -> Self {
        // A constant: a debug build would copy it on the stack in each function that it passes through.
        let mut store = Box::new(const { FixedStore::new() });
        store.set_quota(quota);
        Self { backend: Backend::Memory(store), permits: None }
    }

    /// Returns whether the agents still exist after the process has ended.
    pub fn outlives_the_process(&self) -> bool {
        !matches!(self.backend, Backend::Memory(_))
    }

    /// Waits for a permit of the current tenant, with a time limit.
    async fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, AgentError> {
        let Some(permits) = &self.permits else { return Ok(None) };
        let permit = permits.acquire(TenantContext::get()?);
        timeout(LONGEST, permit).await.map_err(|late| AgentError::Unavailable(Some(StoreError::new(late))))
    }
}

/// Calls the same method of any store.
macro_rules! ask {
    ($self:ident, $store:ident => $question:expr) => {{
        let _permit = $self.permit().await?;
        match &$self.backend {
            Backend::Database($store) => $question.await,
            Backend::Files($store) => $question.await,
            Backend::Memory($store) => $question.await,
        }
    }};
}

impl Store for AgentStore {
    async fn get(&self, id: AgentId) -> Result<Option<Agent>, AgentError> {
        ask!(self, store => store.get(id))
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        ask!(self, store => store.get_by_name(name))
    }

    async fn list(&self, query: &Query, each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        ask!(self, store => store.list(query, each))
    }

    async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        ask!(self, store => store.count(filter))
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        ask!(self, store => store.insert(agent))
    }

    async fn replace(&self, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        ask!(self, store => store.replace(agent, revision))
    }

    async fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> Result<Option<Agent>, E> {
        ask!(self, store => store.change(id, change))
    }

    async fn touch(&self, id: AgentId, at: UnixMillis) -> Result<bool, AgentError> {
        ask!(self, store => store.touch(id, at))
    }
}

/// Shows the kind of the store, and no agent.
impl fmt::Debug for AgentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Backend::Database(store) => store.fmt(f),
            Backend::Files(store) => store.fmt(f),
            Backend::Memory(store) => store.fmt(f),
        }
    }
}
