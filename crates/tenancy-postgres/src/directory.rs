//! A directory of tenants in Postgres.

mod config;
mod invalidating_cache;
mod listener;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use postgres_types::ToSql;
use tenancy::{Directory, TenantId, TenantRecord, TenantStatus};
use tenancy_directory::CachedError;
use tokio::task::AbortHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

pub use self::config::DirectoryConfig;
use self::invalidating_cache::InvalidatingCache;
use self::listener::Listener;
use crate::db::TenantDb;
use crate::error::Error;
use crate::session::{Access, Answer, Kind, Statement, TypesOf};
use crate::tenants::{Call, Connection, DirectoryError, TenantsTable, build};
use crate::wire::{Socket, Tls};

/// The table of tenants as a directory, for example for the middleware of `tenancy-tower`.
///
/// States are cached. A connection of the directory's own receives changes by `LISTEN`, so that a suspension that any
/// program commits takes effect within moments. While that connection is broken nothing is cached, and every lookup
/// queries the database. It takes up to 15 s until a connection that broke silently is noticed. No state is used for
/// longer than [`max_age`](DirectoryConfig::max_age), counted from the start of the query.
///
/// Queries run as the platform tenant, in a signed context. SQL of another tenant can read only that tenant's record,
/// and cannot change it. It can send a notification, which only causes another query.
///
/// Clones share the cache and the connection. The connection ends when the last clone is dropped.
///
/// ```no_run
/// use tenancy_postgres::{Config, ConnectOptions, PgDirectory, SigningKey, TenantDb};
/// use tenancy_tower::{TenantLayer, claim_equals};
///
/// # async fn example(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let options: ConnectOptions = "postgres://notes_service@localhost/notes".parse()?;
/// let db = TenantDb::connect(Config::new(options.clone(), SigningKey::new(1, secret)?)).await?;
/// let directory = PgDirectory::connect(db, options).await?;
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
    /// Connects the listener, and reads the table once.
    ///
    /// It starts a task on the current tokio runtime. The connection uses TLS as the parameter `sslmode` of the
    /// connection string demands, with the feature `rustls`.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::Database`] if the server cannot be reached or rejects the connection or a statement. The
    ///   SQLSTATE is `42P01` if migration 3 was not applied.
    /// - [`DirectoryError::Database`] with [`Error::Config`] if the listener's options name a transaction pooler.
    /// - [`DirectoryError::Timeout`] if the server does not answer for 10 s.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(db: TenantDb, listener: impl Into<DirectoryConfig>) -> Result<Self, DirectoryError> {
        let config = listener.into();
        let tls = Tls::of_options(&config.listener).map_err(Error::from)?;
        Self::open(db, config, tls).await
    }

    /// Connects the listener with a TLS connector for `tokio-postgres`, instead of the one of the feature `rustls`.
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
        T::Stream: Sync + Send + 'static,
        T::TlsConnect: Sync + Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
    {
        Self::open(db, listener.into(), Tls::of_tokio_postgres(tls)).await
    }

    async fn open(db: TenantDb, config: DirectoryConfig, tls: Tls) -> Result<Self, DirectoryError> {
        let DirectoryConfig { listener: options, max_age, capacity } = config;
        if options.is_pooled() {
            return Err(Error::Config("the listener needs a connection without a transaction pooler").into());
        }
        let table = Table(db);
        table.run(Call::Get(TenantId::PLATFORM)).await?;
        let cache = Arc::new(InvalidatingCache::new(table, max_age, capacity));
        let listener = Listener::open(&options, &tls).await?;
        let task = tokio::spawn(listener::listen(listener, Arc::clone(&cache), options, tls)).abort_handle();
        Ok(Self(Arc::new(Shared { cache, task })))
    }

    /// Returns the state of a tenant, or `None` if the tenant does not exist.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::Database`] if the database cannot be queried.
    /// - [`DirectoryError::Shared`] if the query of a concurrent lookup of the same tenant failed.
    /// - [`DirectoryError::Row`] if a newer version of this crate wrote the state.
    pub async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        self.0.cache.status(tenant).await.map_err(|error| match error {
            CachedError::Directory(error) => error,
            CachedError::Shared => DirectoryError::Shared,
        })
    }

    /// Returns the table of tenants. Reads are not cached; a write invalidates the tenant's cached state.
    pub fn tenants(&self) -> TenantsTable<&Self> {
        TenantsTable::of(self)
    }

    /// Returns whether changes are received. If they are not, lookups still work, and nothing is cached.
    pub fn is_listening(&self) -> bool {
        self.0.cache.is_listening()
    }
}

impl Connection for &PgDirectory {
    async fn run(&mut self, call: Call<'_>) -> Result<Vec<TenantRecord>, DirectoryError> {
        let cache = &self.0.cache;
        let records = cache.directory().run(call).await;
        if let Some(tenant) = call.written() {
            // The writer reads its own write before the notification arrives, even if the commit's outcome is unknown.
            cache.invalidate(tenant);
        }
        records
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

/// The number of cached states, without the states.
impl fmt::Debug for PgDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgDirectory").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

/// The table as the platform tenant reads and writes it. Each statement is a transaction in one round trip.
struct Table(TenantDb);

impl Table {
    async fn run(&self, call: Call<'_>) -> Result<Vec<TenantRecord>, DirectoryError> {
        // The rows have no `tenant_id`: all of them belong to the platform. Triggers of a write may change the session.
        let (access, kind) = match call.written() {
            Some(_) => (Access::ReadWrite, Kind::Writes),
            None => (Access::ReadOnly, Kind::Reads),
        };
        let params = call.params();
        let params: Vec<_> = params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
        let statement =
            Statement { sql: call.sql(), params: &params, kind, types: TypesOf::Values, verifies: false };
        let session = self.0.session(TenantId::PLATFORM, access).await?;
        let Answer { rows, affected, .. } = session.run_and_commit(statement).await?;
        call.check(affected)?;
        rows.iter().map(|row| build(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)).collect()
    }
}

impl Directory for Table {
    type Error = DirectoryError;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        Ok(self.run(Call::Get(tenant)).await?.pop().map(|record| record.status()))
    }
}
