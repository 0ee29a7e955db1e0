//! Agents in Postgres.

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
use record::{Record, agent, bigint};
use select::{Select, TenantFilter};

pub use migration::{MIGRATION, migrate};

/// How long one call may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The last heartbeat stays as it is.
const REPLACE: &str = "UPDATE tenancy_agents.agents SET display_name = $3, description = $4, version = $5, \
     tier = $6, visibility = $7, status = $8, capabilities = $9, endpoint = $10, owner = $11, card = $12, \
     revision = $13, updated_at = $14 WHERE tenant_id = $1 AND id = $2 AND revision = $15";

const INSERT: &str = "INSERT INTO tenancy_agents.agents (tenant_id, id, display_name, description, version, tier, \
     visibility, status, capabilities, endpoint, owner, card, revision, updated_at, name, created_at, last_seen_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

/// `greatest` takes no notice of what is NULL.
const TOUCH: &str = "UPDATE tenancy_agents.agents SET last_seen_at = greatest(last_seen_at, $3) \
     WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted'";

const NUMBER: &str = "SELECT count(*) FROM tenancy_agents.agents WHERE tenant_id = $1";

/// Not the one that room is made for. Of those who make room at once each waits for the one before, and forgets the next.
const FORGET: &str = "DELETE FROM tenancy_agents.agents WHERE tenant_id = $1 AND id = ANY (ARRAY \
     (SELECT id FROM tenancy_agents.agents WHERE tenant_id = $1 AND status = 'deleted' AND id <> $2 \
     ORDER BY updated_at, id LIMIT $3 FOR UPDATE))";

/// The agents of a database, which instances of a service share.
///
/// Each call is a transaction of the tenant's own, of one round trip, or of more where there is a quota. A read that
/// does not find what it looks for there goes on with one of the platform's, which asks for what it shares and can't
/// write; lists and counts always do.
///
/// The operator makes its tables by [`migrate`]. It needs tokio's runtime, with its timer: without one its futures panic.
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
                tx.execute(INSERT, params).await?;
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

    /// The tenant's own agent, or else a shared one. Whether another tenant has it, or nobody, it takes the same time.
    async fn one(
        &self,
        tenant: TenantId,
        select: impl Fn(TenantFilter) -> Select,
    ) -> Result<Option<Agent>, AgentError> {
        let one = async {
            let own = self.rows(tenant, select(TenantFilter::Own(tenant))).await?;
            if !own.is_empty() || tenant.is_platform() {
                return Ok(own);
            }
            self.rows(TenantId::PLATFORM, select(TenantFilter::Shared)).await
        };
        self.in_time(one).await?.first().map(agent).transpose()
    }

    /// The rows of what the tenant has, and of what the platform shares with it.
    ///
    /// The one after the other: calls that held a connection each and waited for a second would wait for each other.
    async fn all(
        &self,
        tenant: TenantId,
        select: impl Fn(TenantFilter) -> Select,
    ) -> Result<(Vec<Row>, Vec<Row>), AgentError> {
        let all = async {
            let own = self.rows(tenant, select(TenantFilter::Own(tenant))).await?;
            let shared = if tenant.is_platform() {
                Vec::new()
            } else {
                self.rows(TenantId::PLATFORM, select(TenantFilter::Shared)).await?
            };
            Ok((own, shared))
        };
        self.in_time(all).await
    }

    /// The rows of one tenant: a transaction that only reads.
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
        self.one(tenant, |tenants| Select::by_id(tenants, id)).await
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        let tenant = TenantContext::get()?;
        self.one(tenant, |tenants| Select::by_name(tenants, name)).await
    }

    /// The whole page is read before the first is given.
    async fn list(&self, query: &Query, each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        if query.limit == 0 {
            return Ok(());
        }
        let (own, shared) = self.all(tenant, |tenants| Select::page(tenants, query)).await?;
        let own = own.iter().map(agent).collect::<Result<_, _>>()?;
        let shared = shared.iter().map(agent).collect::<Result<_, _>>()?;
        merged(own, shared, query.limit).into_iter().for_each(each);
        Ok(())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        let tenant = TenantContext::get()?;
        let (own, shared) = self.all(tenant, |tenants| Select::count(tenants, filter)).await?;
        own.iter().chain(&shared).map(record::count).sum()
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        if agent.tenant != tenant {
            return Err(AgentError::NotFound);
        }
        let record = Record::of(tenant, agent)?;
        let params = record.inserted();
        if self.quota == usize::MAX {
            return self.execute(tenant, INSERT, &params).await.map(drop);
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
        let revision = bigint(revision)?;
        let record = Record::of(tenant, agent)?;
        Ok(self.execute(tenant, REPLACE, &record.replaced(&revision)).await? > 0)
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
    let Select { sql, params } = Select::by_id(TenantFilter::Own(tenant), id).locked();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as _).collect();
    let rows = tx.query(&sql, &params).await.map_err(failed)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let old = agent(row)?;
    let new = changed(&old, change)?;
    if new != old {
        let revision = bigint(old.revision)?;
        let record = Record::of(tenant, &new)?;
        tx.execute(REPLACE, &record.replaced(&revision)).await.map_err(failed)?;
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
