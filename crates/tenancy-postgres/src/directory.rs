//! Which tenants there are, for a service.

mod config;
mod invalidating_cache;
mod listener;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use tenancy::{Directory, TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_directory::CachedError;
use tokio::task::AbortHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{NoTls, Socket};

pub use self::config::DirectoryConfig;
use self::invalidating_cache::InvalidatingCache;
use self::listener::Listener;
use crate::db::TenantDb;
use crate::id::PgTenantId;
use crate::session::{Access, Answer, Kind, Param, Statement, TypesOf};
use crate::tenants::{BY_ID, BY_SLUG, DirectoryError, INSERT, PAGE, SET_STATUS, build, found};
use crate::wire::Row;

/// The tenants' table of migration 3, for [`TenantLayer`](tenancy_tower::TenantLayer) and other parts of a service.
///
/// It keeps the states that it learned, and hears of changes by `LISTEN`, on a connection of its own: a suspension
/// that any program commits counts a moment later. Where that connection is broken, which the server may not say for
/// 15 s, nothing is kept, and each question goes to the database until it listens again. No state is older than
/// [`max_age`](DirectoryConfig::max_age), counted from the question.
///
/// It asks as the platform, in a context that is signed: SQL that runs in another tenant sees that tenant's record
/// alone, and changes none. What SQL can do is to send a notification: that makes a state be asked for again.
///
/// Clones share all of it. With the last one the connection that listens ends.
///
/// ```no_run
/// use tenancy_postgres::{Config, PgDirectory, SigningKey, TenantDb};
/// use tenancy_tower::{TenantLayer, claim_equals};
///
/// # async fn example(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let url = "postgres://notes_service@localhost/notes";
/// let db = TenantDb::connect(Config::from_url(url, SigningKey::new(1, secret)?)?).await?;
/// let directory = PgDirectory::connect(db, url.parse::<tokio_postgres::Config>()?).await?;
/// let layer = TenantLayer::builder().directory(directory).trust_header().build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgDirectory(Arc<Shared>);

struct Shared {
    cache: Arc<InvalidatingCache<Table>>,
    task: AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PgDirectory {
    /// Connects the listener without TLS, and reads the table once, so that what is not set up is found here.
    ///
    /// A task of the current tokio runtime listens from now on.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Database`] where the server refuses, or can't be reached: `42P01` where migration 3 lacks;
    /// [`DirectoryError::Timeout`] where it is silent for 10 s.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(db: TenantDb, listener: impl Into<DirectoryConfig>) -> Result<Self, DirectoryError> {
        Self::connect_tls(db, listener, NoTls).await
    }

    /// Connects the listener with a TLS connector of `tokio-postgres`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect_tls<T>(
        db: TenantDb,
        listener: impl Into<DirectoryConfig>,
        tls: T,
    ) -> Result<Self, DirectoryError>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let DirectoryConfig { listener: config, max_age, capacity } = listener.into();
        let table = Table(db);
        table.record(TenantId::PLATFORM).await?;
        let cache = Arc::new(InvalidatingCache::new(table, max_age, capacity));
        let listener = Listener::open(&config, tls.clone()).await?;
        let task = tokio::spawn(listener::listen(listener, Arc::clone(&cache), config, tls)).abort_handle();
        Ok(Self(Arc::new(Shared { cache, task })))
    }

    /// The state of a tenant; `None` for an unknown id.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Database`] where the database can't be asked, [`DirectoryError::Shared`] where it could not
    /// for somebody who asked for the same tenant at the same time, [`DirectoryError::Row`] for a state of a newer
    /// version.
    pub async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        self.0.cache.status(tenant).await.map_err(|error| match error {
            CachedError::Directory(error) => error,
            CachedError::Shared => DirectoryError::Shared,
        })
    }

    /// The record of a tenant, in whatever state, as the database has it.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Database`] where the database can't be asked, [`DirectoryError::Row`] where the record can't
    /// be read.
    pub async fn record(&self, tenant: TenantId) -> Result<Option<TenantRecord>, DirectoryError> {
        self.table().record(tenant).await
    }

    /// The record of the tenant that has this slug, in whatever state, as the database has it.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn by_slug(&self, slug: TenantSlug) -> Result<Option<TenantRecord>, DirectoryError> {
        self.table().rows(BY_SLUG, &[&slug.as_str()]).await?.first().map(record).transpose()
    }

    /// A page of all tenants, by their ids: the first `limit` of those that come after one.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn list(
        &self,
        after: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantRecord>, DirectoryError> {
        let after = after.map(PgTenantId);
        self.table().rows(PAGE, &[&after, &i64::from(limit)]).await?.iter().map(record).collect()
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::IdTaken`] and [`DirectoryError::SlugTaken`] where another tenant has it, in whatever
    ///   state.
    /// - [`DirectoryError::Database`] where the database refused, or can't be asked. Of `CommitUnknown` nobody knows
    ///   whether it was done.
    pub async fn create(&self, record: &TenantRecord) -> Result<(), DirectoryError> {
        let (id, slug) = (PgTenantId(record.id()), record.slug());
        self.write(record.id(), INSERT, &[&id, &slug.as_str(), &record.status().as_str()]).await?;
        Ok(())
    }

    /// Changes the state of a tenant. One that is deleted stays so, and its id is never another's.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::NotFound`] for an unknown id.
    /// - [`DirectoryError::Deleted`] where it is deleted, and would be no more.
    /// - [`DirectoryError::Database`] as for [`create`](Self::create).
    pub async fn set_status(&self, tenant: TenantId, status: TenantStatus) -> Result<(), DirectoryError> {
        let updated = self.write(tenant, SET_STATUS, &[&PgTenantId(tenant), &status.as_str()]).await?;
        found(updated, tenant)
    }

    /// Whether it hears of changes. Where it does not, it answers all the same, and keeps nothing.
    pub fn is_listening(&self) -> bool {
        self.0.cache.is_listening()
    }

    async fn write(&self, tenant: TenantId, sql: &str, params: &[Param<'_>]) -> Result<u64, DirectoryError> {
        let answer = self.table().run(Access::ReadWrite, sql, params).await;
        // Who wrote it reads it, before the notification comes; also where it is not known to be committed.
        self.0.cache.invalidate(tenant);
        Ok(answer?.affected)
    }

    fn table(&self) -> &Table {
        self.0.cache.directory()
    }
}

impl Directory for PgDirectory {
    type Error = DirectoryError;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        Self::status(self, tenant).await
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        self.0.cache.status_now(tenant)
    }
}

/// Shows how many states are kept, and none of them.
impl fmt::Debug for PgDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgDirectory").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

/// The table, as the platform sees it: each question is a transaction, in one round trip.
struct Table(TenantDb);

impl Table {
    async fn record(&self, tenant: TenantId) -> Result<Option<TenantRecord>, DirectoryError> {
        self.rows(BY_ID, &[&PgTenantId(tenant)]).await?.first().map(record).transpose()
    }

    async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, DirectoryError> {
        Ok(self.run(Access::ReadOnly, sql, params).await?.rows)
    }

    async fn run(&self, access: Access, sql: &str, params: &[Param<'_>]) -> Result<Answer, DirectoryError> {
        // The rows have no `tenant_id`: all of them are the platform's. Triggers may leave something in the session.
        let kind = if access == Access::ReadWrite { Kind::Writes } else { Kind::Reads };
        let statement = Statement { sql, params, kind, types: TypesOf::Values, verifies: false };
        Ok(self.0.session(TenantId::PLATFORM, access).await?.run_and_commit(statement).await?)
    }
}

fn record(row: &Row) -> Result<TenantRecord, DirectoryError> {
    build(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)
}

impl Directory for Table {
    type Error = DirectoryError;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        Ok(self.record(tenant).await?.map(|record| record.status()))
    }
}
