//! One SQLite file a tenant.

mod error;
mod names;
mod row;
mod sql;

use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, RwLock};
use std::vec::Vec;

use rusqlite::{OptionalExtension, params};
use tenancy::{TenantContext, TenantId};
use tenancy_sqlite::{Error, TenantFiles, TenantReader, TenantTx};
use tokio::task::spawn_blocking;

use super::shared::merged;
use super::{Store, changed};
use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::{AgentError, StoreError};
use crate::id::AgentId;
use crate::query::{Filter, Query};
use error::{Failed, Stopped};
use row::{COLUMNS, millis, read, whole, write};
use sql::{SHARED, Select};

/// What makes the tables of agents in a tenant's file: the text of a
/// [`Migration`](tenancy_sqlite::Migration).
pub const SCHEMA: &str = include_str!("../../sql/sqlite.sql");

/// The agents of each tenant in its own file, those of the platform in the platform's.
///
/// A tenant's operation opens its own file, and to read what the platform shares, the platform's: no other can be
/// reached. Work is done on tokio's threads for blocking work, so it needs tokio's runtime: without one its futures panic.
///
/// The platform's file is read by all tenants, one at a time: whoever holds it for long, by a backup for one, holds them
/// up, and while it is damaged, their lists, counts, registrations and misses are errors.
///
/// Sharing one of the platform's agents asks each tenant's file for its name, and holds up registrations while it does:
/// that takes as long as opening them all, where more than are kept open.
///
/// ```
/// use tenancy::{TenantFutureExt, TenantId};
/// use tenancy_agents::store::sqlite::SCHEMA;
/// use tenancy_agents::{AgentContent, AgentName, AgentRegistry, RandomIds, SqliteStore, SystemClock};
/// use tenancy_sqlite::{Config, Migration, TenantFiles};
///
/// const MIGRATIONS: &[Migration] = &[Migration { version: 1, name: "agents", sql: SCHEMA }];
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let files = TenantFiles::open(Config::new(folder.path().join("tenants")).migrations(MIGRATIONS))?;
/// let registry = AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds);
///
/// let tenant = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
/// let name = AgentName::parse("support")?;
/// registry.register(name, AgentContent::default()).in_tenant(tenant).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore {
    files: TenantFiles,
    /// Held to write while the platform shares an agent, and to read while a tenant takes a name.
    names: Arc<RwLock<()>>,
    quota: usize,
}

/// How many tombstones a file that is full forgets at once.
const AT_ONCE: u64 = 64;

impl SqliteStore {
    /// The agents in files that have [`SCHEMA`]. A program makes one of its files, and clones it: names are looked at
    /// within one alone.
    pub fn new(files: TenantFiles) -> Self {
        Self { files, names: Arc::default(), quota: usize::MAX }
    }

    /// How many agents a tenant may have, tombstones among them: where there are as many, the oldest of these makes room,
    /// and also where the tenant's file is full.
    #[must_use]
    pub fn quota(self, quota: usize) -> Self {
        Self { quota, ..self }
    }

    /// Work of the current tenant, on a thread that may wait.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, TenantId) -> Result<T, AgentError> + Send + 'static,
    ) -> Result<T, AgentError> {
        let tenant = TenantContext::get()?;
        let this = self.clone();
        let work = TenantContext::bind(move || work(&this, tenant));
        spawn_blocking(work).await.map_err(StoreError::new)?
    }

    fn own<T>(&self, body: impl FnOnce(&TenantReader<'_>) -> Result<T, Failed>) -> Result<T, AgentError> {
        Ok(self.files.read(body)?)
    }

    /// In the platform's file, or what there is without one; the SQL is to ask for what is shared, and nothing else.
    fn platform<T: Default>(
        &self,
        body: impl FnOnce(&TenantReader<'_>) -> Result<T, Failed>,
    ) -> Result<T, AgentError> {
        TenantContext::scope(TenantId::PLATFORM, || {
            // Empty tables need not be made to be read.
            if self.has_file()? { self.own(body) } else { Ok(T::default()) }
        })
    }

    /// Without one there is nothing to change, and none is to be made for that.
    fn has_file(&self) -> Result<bool, AgentError> {
        Ok(self.files.exists().map_err(Failed::from)?)
    }

    /// What a tenant sees: first its own, then what is shared, as `select` puts it.
    fn one(
        &self,
        tenant: TenantId,
        condition: &str,
        key: &dyn rusqlite::ToSql,
    ) -> Result<Option<Agent>, AgentError> {
        let select = |own: bool| {
            let shared = if own { String::new() } else { std::format!(" AND {SHARED}") };
            std::format!("SELECT {COLUMNS} FROM agents WHERE {condition}{shared}")
        };
        let find = |reader: &TenantReader<'_>, sql: &str| {
            let mut statement = reader.prepare_cached(sql)?;
            let row = statement.query_row([key], |row| Ok(read(row, reader.tenant())));
            row.optional().map_err(Error::from)?.transpose()
        };
        let own = self.own(|reader| find(reader, &select(true)))?;
        if own.is_some() || tenant.is_platform() {
            return Ok(own);
        }
        self.platform(|reader| find(reader, &select(false)))
    }

    fn page(&self, tenant: TenantId, query: &Query) -> Result<Vec<Agent>, AgentError> {
        let list = |reader: &TenantReader<'_>, is_shared: bool| {
            let select = Select::of(&query.filter, is_shared).behind(query.after).limited(query.limit);
            let sql = select.agents();
            let rows = reader.query(&sql, select.params(), |row| Ok(read(row, reader.tenant())))?;
            rows.into_iter().collect::<Result<Vec<_>, Failed>>()
        };
        let own = self.own(|reader| list(reader, false))?;
        if tenant.is_platform() {
            return Ok(own);
        }
        let shared = self.platform(|reader| list(reader, true))?;
        Ok(merged(own, shared, query.limit))
    }

    fn number(&self, tenant: TenantId, filter: &Filter) -> Result<u64, AgentError> {
        let count = |reader: &TenantReader<'_>, is_shared: bool| {
            let select = Select::of(filter, is_shared);
            let count: i64 = reader.query_row(&select.count(), select.params(), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        let own = self.own(|reader| count(reader, false))?;
        if tenant.is_platform() { Ok(own) } else { Ok(own + self.platform(|reader| count(reader, true))?) }
    }

    fn add(&self, tenant: TenantId, agent: &Agent) -> Result<(), AgentError> {
        if agent.tenant != tenant {
            return Err(AgentError::NotFound);
        }
        let _names = match self.hold_name(tenant, agent, &agent.name) {
            // What the tenant itself has is told first.
            Err(AgentError::NameHeld(_) | AgentError::NameShared)
                if self.own(|own| is_taken(own, agent))? =>
            {
                return Err(AgentError::NameTaken);
            }
            held => held?,
        };
        let add = |tx: &TenantTx<'_>| {
            if is_taken(tx, agent)? {
                return Err(Failed::Answer(AgentError::NameTaken));
            }
            self.make_room(tx)?;
            write(tx, agent)
        };
        loop {
            match self.files.write(add) {
                // The file may be full before there are too many.
                Err(Failed::File(Error::Full)) if self.files.write(|tx| forget(tx, AT_ONCE))? > 0 => {}
                added => return Ok(added?),
            }
        }
    }

    fn make_room(&self, tx: &TenantTx<'_>) -> Result<(), Failed> {
        let limit = self.quota;
        if limit == usize::MAX {
            return Ok(());
        }
        let count: i64 = tx.query_row("SELECT count(*) FROM agents", [], |row| row.get(0))?;
        let too_many = (count.unsigned_abs() + 1).saturating_sub(limit as u64);
        if forget(tx, too_many)? < too_many {
            return Err(Failed::Answer(AgentError::Quota { limit }));
        }
        Ok(())
    }

    fn change(&self, tenant: TenantId, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        if agent.tenant != tenant {
            return Ok(false);
        }
        let Ok(revision) = i64::try_from(revision) else { return Ok(false) };
        if !self.has_file()? {
            return Ok(false);
        }
        let _names = if agent.is_shared() {
            // The one that it has, which stays.
            let Some(name) = self.own(|own| row::name(own, agent.id))? else { return Ok(false) };
            Some(self.hold_name(tenant, agent, &name)?)
        } else {
            None
        };
        Ok(self.files.write(|tx| row::replace(tx, agent, revision))?)
    }

    fn alter<E: From<AgentError>>(
        &self,
        tenant: TenantId,
        id: AgentId,
        change: &mut impl FnMut(&mut Agent) -> Result<(), E>,
    ) -> Result<Option<Agent>, E> {
        if !self.has_file()? {
            return Ok(None);
        }
        let mut names = None;
        loop {
            let altered = self.files.write(|tx: &TenantTx<'_>| {
                let Some(old) = row::get(tx, id)? else { return Ok(None) };
                let new = changed(&old, change).map_err(Stopped::Change)?;
                if new == old {
                    return Ok(Some(new));
                }
                if new.is_shared() && !old.is_shared() && names.is_none() {
                    return Err(Stopped::NeedsName(Box::new(new)));
                }
                row::replace(tx, &new, whole(old.revision).map_err(Failed::from)?)?;
                Ok(Some(new))
            });
            match altered {
                // The lock on names has to be acquired before the file.
                Err(Stopped::NeedsName(agent)) => {
                    names = Some(self.hold_name(tenant, &agent, &agent.name)?);
                }
                Err(Stopped::Failed(error)) => return Err(AgentError::from(error).into()),
                Err(Stopped::Change(error)) => return Err(error),
                Ok(agent) => return Ok(agent),
            }
        }
    }

    fn see(&self, id: AgentId, at: UnixMillis) -> Result<bool, AgentError> {
        let at = millis(at)?;
        if !self.has_file()? {
            return Ok(false);
        }
        Ok(self.files.write(|tx: &TenantTx<'_>| {
            let seen = tx.execute(
                "UPDATE agents SET last_seen_at = max(coalesce(last_seen_at, 0), ?2) \
                 WHERE id = ?1 AND status <> 'deleted'",
                params![id.as_uuid().as_bytes(), at],
            )?;
            Ok::<_, Failed>(seen > 0)
        })?)
    }
}

impl Store for SqliteStore {
    async fn get(&self, id: AgentId) -> Result<Option<Agent>, AgentError> {
        self.work(move |store, tenant| store.one(tenant, "id = ?1", id.as_uuid().as_bytes())).await
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        let name = name.clone();
        self.work(move |store, tenant| store.one(tenant, "name = ?1 AND status <> 'deleted'", &name.as_str()))
            .await
    }

    async fn list(&self, query: &Query, each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        let query = query.clone();
        let page = self.work(move |store, tenant| store.page(tenant, &query)).await?;
        page.into_iter().for_each(each);
        Ok(())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        let filter = filter.clone();
        self.work(move |store, tenant| store.number(tenant, &filter)).await
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        let agent = Box::new(agent.clone());
        self.work(move |store, tenant| store.add(tenant, &agent)).await
    }

    async fn replace(&self, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        let agent = Box::new(agent.clone());
        self.work(move |store, tenant| store.change(tenant, &agent, revision)).await
    }

    async fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        mut change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> Result<Option<Agent>, E> {
        self.work(move |store, tenant| Ok(store.alter(tenant, id, &mut change))).await?
    }

    async fn touch(&self, id: AgentId, at: UnixMillis) -> Result<bool, AgentError> {
        self.work(move |store, _| store.see(id, at)).await
    }
}

/// Forgets the oldest tombstones, and gives how many.
fn forget(tx: &TenantTx<'_>, number: u64) -> Result<u64, Failed> {
    const OLDEST: &str = "DELETE FROM agents WHERE id IN \
         (SELECT id FROM agents WHERE status = 'deleted' ORDER BY updated_at, id LIMIT ?1)";
    if number == 0 {
        return Ok(0);
    }
    Ok(tx.execute(OLDEST, [i64::try_from(number).unwrap_or(i64::MAX)])? as u64)
}

/// Whether the tenant has one of the id, or where neither is deleted, of the name.
fn is_taken(reader: &TenantReader<'_>, agent: &Agent) -> Result<bool, Failed> {
    let taken = reader.query_row(
        "SELECT EXISTS (SELECT 1 FROM agents WHERE id = ?1 OR name = ?2 AND status <> 'deleted' AND ?3)",
        params![agent.id.as_uuid().as_bytes(), agent.name.as_str(), agent.is_living()],
        |row| row.get(0),
    );
    Ok(taken?)
}
