//! Agents in Postgres.

mod column;
mod error;
mod migration;
mod record;
mod select;

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_postgres::{Error, Row, TenantDb, TenantTx};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::shared::merged;
use super::{Store, changed};
use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::{AgentError, StoreError};
use crate::id::AgentId;
use crate::query::{Filter, Query};
use error::failed;
use record::{INSERT, REPLACE, Record, agent, bigint};
use select::Select;

pub use migration::{MIGRATION, migrate};

/// How long one call may take.
const LONGEST: Duration = Duration::from_secs(5);

/// `greatest` takes no notice of what is NULL.
const TOUCH: &str = "UPDATE tenancy_agents.agents SET last_seen_at = greatest(last_seen_at, $3) \
     WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted'";

const NUMBER: &str = "SELECT count(*) FROM tenancy_agents.agents WHERE tenant_id = $1";

/// Not the one that room is made for. Of those who make room at once each waits for the one before, and forgets the next.
const FORGET: &str = "DELETE FROM tenancy_agents.agents WHERE tenant_id = $1 AND id = ANY (ARRAY \
     (SELECT id FROM tenancy_agents.agents WHERE tenant_id = $1 AND status = 'deleted' AND id <> $2 \
     ORDER BY updated_at, id LIMIT $3 FOR UPDATE))";

/// A store in a Postgres database, which instances of a service share.
///
/// Each call is a transaction of the current tenant in one round trip; changes of any revision, and registrations with a
/// quota, need more. A read is one statement. It returns the tenant's own agents, which row-level security separates, and
/// those that the platform shares, from a table of copies that a trigger maintains.
///
/// The operator creates the tables by [`migrate`]. The store needs the runtime of tokio with its timer: without one its
/// futures panic.
///
/// ```no_run
/// use tenancy::{TenantFutureExt, TenantId};
/// use tenancy_agents::{AgentContent, AgentName, AgentRegistry, PgStore, RandomIds, SystemClock};
/// use tenancy_postgres::{Config, SigningKey, TenantDb};
///
/// # async fn example(tenant: TenantId) -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let db = TenantDb::connect(Config::from_url("postgres://agents_service@localhost/agents", key)?).await?;
/// let registry = AgentRegistry::new(PgStore::new(db), SystemClock, RandomIds);
///
/// let name = AgentName::parse("support")?;
/// let registered = registry.register(name, AgentContent::default()).in_tenant(tenant).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgStore {
    db: TenantDb,
    longest: Duration,
    quota: usize,
}

impl PgStore {
    /// The agents of a database. A call takes 5 s at most.
    pub const fn new(db: TenantDb) -> Self {
        Self { db, longest: LONGEST, quota: usize::MAX }
    }

    /// How long a call may take: what takes longer is [`AgentError::Unavailable`], and is cancelled.
    #[must_use]
    pub fn timeout(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// How many agents a tenant may have, tombstones among them: where there are as many, the oldest of these makes room.
    /// Those who register at the same time may make a few more.
    #[must_use]
    pub fn quota(self, quota: usize) -> Self {
        Self { quota, ..self }
    }

    /// Adds an agent, and makes room for it, both or neither. That its name is taken is told before there is no room.
    async fn add(&self, tenant: TenantId, id: Uuid, params: &[&(dyn ToSql + Sync)]) -> Result<(), Failed> {
        let own = Uuid::from(tenant);
        self.db
            .tx_in(tenant, async |tx| {
                tx.execute(&INSERT, params).await?;
                let rows = tx.query_unverified(NUMBER, &[&own]).await?;
                let number = rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
                let too_many = number.saturating_sub(self.quota as u64);
                if too_many == 0 {
                    return Ok(());
                }
                let most = i64::try_from(too_many).unwrap_or(i64::MAX);
                let forgotten = tx.execute(FORGET, &[&own, &id, &most]).await?;
                if forgotten < too_many { Err(Failed::Quota) } else { Ok(()) }
            })
            .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, AgentError>>) -> Result<T, AgentError> {
        timeout(self.longest, work).await.unwrap_or_else(|late| Err(too_late(late)))
    }

    /// Returns the tenant's own agent, or else a shared one. The statement is the same whether another tenant has it or
    /// nobody.
    async fn one(&self, tenant: TenantId, select: Select) -> Result<Option<Agent>, AgentError> {
        let rows = self.in_time(self.rows(tenant, select)).await?;
        let agents = rows.iter().map(agent).collect::<Result<Vec<_>, _>>()?;
        Ok(agents.into_iter().max_by_key(|agent| agent.tenant == tenant))
    }

    /// Returns the rows of a statement, which is a transaction of its own, in one round trip.
    async fn rows(&self, tenant: TenantId, Select { sql, params }: Select) -> Result<Vec<Row>, AgentError> {
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as _).collect();
        // On the heap, for a registry's futures are made of several such.
        Box::pin(self.db.query(&sql, &params).in_tenant(tenant)).await.map_err(failed)
    }

    /// Changes an agent in a transaction. Concurrent changes wait for the row's lock.
    async fn alter<E: From<AgentError>>(
        &self,
        tenant: TenantId,
        id: AgentId,
        change: &mut impl FnMut(&mut Agent) -> Result<(), E>,
    ) -> Result<Option<Agent>, E> {
        let tx = self.db.begin_in(tenant).await.map_err(failed)?;
        match alter_in(&tx, tenant, id, change).await {
            Ok(agent) => {
                tx.commit().await.map_err(failed)?;
                Ok(agent)
            }
            Err(error) => {
                // If this fails, the connection is closed, which rolls back as well.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Returns the number of rows that a statement changed.
    async fn execute(
        &self,
        tenant: TenantId,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, AgentError> {
        let work = Box::pin(self.db.execute(sql, params).in_tenant(tenant));
        self.in_time(async { work.await.map_err(failed) }).await
    }
}

impl Store for PgStore {
    async fn get(&self, id: AgentId) -> Result<Option<Agent>, AgentError> {
        let tenant = TenantContext::get()?;
        self.one(tenant, Select::by_id(tenant, id)).await
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        let tenant = TenantContext::get()?;
        self.one(tenant, Select::by_name(tenant, name)).await
    }

    /// The whole page is read before the first is given.
    async fn list(&self, query: &Query, each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        if query.limit == 0 {
            return Ok(());
        }
        let rows = self.in_time(self.rows(tenant, Select::page(tenant, query))).await?;
        let agents = rows.iter().map(agent).collect::<Result<Vec<_>, _>>()?;
        let (own, shared) = agents.into_iter().partition(|agent| agent.tenant == tenant);
        merged(own, shared, query.limit).into_iter().for_each(each);
        Ok(())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        let tenant = TenantContext::get()?;
        let rows = self.in_time(self.rows(tenant, Select::count(tenant, filter))).await?;
        rows.iter().map(record::count).sum()
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        if agent.tenant != tenant {
            return Err(AgentError::NotFound);
        }
        let record = Record::inserted(tenant, agent)?;
        let params = record.parameters();
        if self.quota == usize::MAX {
            return self.execute(tenant, &INSERT, &params).await.map(drop);
        }
        let added = Box::pin(self.add(tenant, agent.id.as_uuid(), &params));
        let added = async {
            added.await.map_err(|error| match error {
                Failed::Database(error) => failed(error),
                Failed::Quota => AgentError::Quota { limit: self.quota },
            })
        };
        self.in_time(added).await
    }

    async fn replace(&self, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        let tenant = TenantContext::get()?;
        if agent.tenant != tenant {
            return Ok(false);
        }
        let record = Record::replaced(tenant, agent, revision)?;
        Ok(self.execute(tenant, &REPLACE, &record.parameters()).await? > 0)
    }

    async fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        mut change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> Result<Option<Agent>, E> {
        let tenant = TenantContext::get().map_err(AgentError::from)?;
        let altered = Box::pin(self.alter(tenant, id, &mut change));
        timeout(self.longest, altered).await.unwrap_or_else(|late| Err(too_late(late).into()))
    }

    async fn touch(&self, id: AgentId, at: UnixMillis) -> Result<bool, AgentError> {
        let tenant = TenantContext::get()?;
        let at = bigint(at.0)?;
        Ok(self.execute(tenant, TOUCH, &[&Uuid::from(tenant), &id.as_uuid(), &at]).await? > 0)
    }
}

async fn alter_in<E: From<AgentError>>(
    tx: &TenantTx<'_>,
    tenant: TenantId,
    id: AgentId,
    change: &mut impl FnMut(&mut Agent) -> Result<(), E>,
) -> Result<Option<Agent>, E> {
    let Select { sql, params } = Select::locked(tenant, id);
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as _).collect();
    let rows = tx.query(&sql, &params).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let old = agent(row)?;
    let new = changed(&old, change)?;
    if new != old {
        let record = Record::replaced(tenant, &new, old.revision)?;
        tx.execute(&REPLACE, &record.parameters()).await.map_err(failed)?;
    }
    Ok(Some(new))
}

fn too_late(late: Elapsed) -> AgentError {
    AgentError::Unavailable(Some(StoreError::new(late)))
}

/// Why an agent is not added.
enum Failed {
    Database(Error),
    Quota,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Shows nothing of the agents.
impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore")
            .field("db", &self.db)
            .field("longest", &self.longest)
            .field("quota", &self.quota)
            .finish()
    }
}
