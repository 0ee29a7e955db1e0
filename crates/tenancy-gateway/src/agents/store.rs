//! What agents are kept in: chosen at the start.

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
use crate::places::Places;

/// As many as there is memory for, of all tenants.
const MOST_IN_MEMORY: usize = 256;
/// And of one.
const QUOTA_IN_MEMORY: usize = 64;

/// What agents are kept in.
pub struct AgentStore {
    kept: KeptIn,
    /// So that no tenant has all connections of a database, or all threads that wait for files.
    places: Option<Arc<Places>>,
}

enum KeptIn {
    /// A database, which instances share.
    Database(PgStore),
    /// Each tenant's file.
    Files(SqliteStore),
    /// Memory.
    Memory(Box<FixedStore<MOST_IN_MEMORY>>),
}

impl AgentStore {
    /// A database; a tenant may have so many.
    pub fn database(database: &Database, quota: usize) -> Self {
        let store = PgStore::new(database.db.clone()).timeout(LONGEST).quota(quota);
        Self { kept: KeptIn::Database(store), places: Some(Arc::clone(&database.places)) }
    }

    /// Each tenant's file; a tenant may have so many.
    pub fn files(files: TenantFiles, quota: usize) -> Self {
        let store = SqliteStore::new(files).quota(quota);
        // Of a tenant's calls one is served at a time: a second one may wait on its thread.
        Self { kept: KeptIn::Files(store), places: Some(Arc::new(Places::new(2))) }
    }

    /// Memory, which is gone at the end.
    pub fn memory() -> Self {
        // Made when it is compiled: made here, a debug build has it on the stack once for each function it goes through.
        let store = Box::new(const { FixedStore::with_quota(QUOTA_IN_MEMORY) });
        Self { kept: KeptIn::Memory(store), places: None }
    }

    /// Whether it is there still when the process has ended.
    pub fn outlives_the_process(&self) -> bool {
        !matches!(self.kept, KeptIn::Memory(_))
    }

    /// Waits for a place of the current tenant, no longer than a question may take.
    async fn place(&self) -> Result<Option<OwnedSemaphorePermit>, AgentError> {
        let Some(places) = &self.places else { return Ok(None) };
        let place = places.take(TenantContext::get()?);
        timeout(LONGEST, place).await.map_err(|late| AgentError::Unavailable(Some(StoreError::new(late))))
    }
}

/// The same question to whichever it is.
macro_rules! ask {
    ($self:ident, $store:ident => $question:expr) => {{
        let _place = $self.place().await?;
        match &$self.kept {
            KeptIn::Database($store) => $question.await,
            KeptIn::Files($store) => $question.await,
            KeptIn::Memory($store) => $question.await,
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

/// Shows which it is, and nothing of the agents.
impl fmt::Debug for AgentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kept {
            KeptIn::Database(store) => store.fmt(f),
            KeptIn::Files(store) => store.fmt(f),
            KeptIn::Memory(store) => store.fmt(f),
        }
    }
}
