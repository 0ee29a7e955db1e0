//! The Postgres database that instances share. It stores tenants, notes and agents.

mod migrate;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tenancy::TenantId;
use tenancy_postgres::{Config, DirectoryConfig, Error, PgDirectory, SigningKey, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::secret::Secret;
use crate::semaphores::TenantSemaphores;

pub use migrate::migrate;

/// The time limit for connecting and auditing at the start.
const START: Duration = Duration::from_secs(30);
/// The time limit of a query, so that the caller still waits for the response.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);
/// The time limit for waiting for a connection.
const WAIT: Duration = Duration::from_secs(4);
/// The SQLSTATE of a key that the database does not know, among others.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The maximum age of a cached status while the listener is disconnected.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The maximum number of connections.
const CONNECTIONS: usize = 16;
/// The maximum number of connections of a tenant.
const PER_TENANT: usize = 4;

/// Checks that `gateway migrate` has run. The audit checks permissions.
const IS_MIGRATED: &str = "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 4 FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE pg_catalog.concat(n.nspname, '.', c.relname) \
     OPERATOR(pg_catalog.=) ANY (ARRAY['tenancy.tenants', 'tenancy_agents.agents', 'gateway.notes', 'gateway.store'])";

/// The addresses of the database, and the key that signs tenants.
#[derive(Clone)]
pub struct Settings {
    postgres: tokio_postgres::Config,
    listener: tokio_postgres::Config,
    key: SigningKey,
}

impl Settings {
    /// Reads a URL, the key as `ID:HEX`, and the URL of a direct connection if the first one is that of a pooler.
    ///
    /// # Errors
    ///
    /// If the key is missing or a value is invalid. The error contains no value.
    pub fn new(url: &Secret, key: Option<&Secret>, listen_url: Option<&Secret>) -> Result<Self> {
        let postgres = url::parse(url)?;
        let listener = listen_url.map_or_else(|| Ok(postgres.clone()), url::parse)?;
        Ok(Self { postgres, listener, key: signing_key(key)? })
    }
}

/// Parses the key that signs the tenant of each transaction.
///
/// # Errors
///
/// If the key is missing or invalid.
pub fn signing_key(key: Option<&Secret>) -> Result<SigningKey> {
    let key = key.context(
        "a database needs a key: --tenancy-key or TENANCY_KEY, as ID:HEX, the same for `gateway migrate` and for each \
         instance",
    )?;
    key.text().parse().context("invalid tenancy key: 1:$(openssl rand -hex 32) creates one")
}

/// A database that passed the audit and knows the key.
#[derive(Clone)]
pub struct Database {
    pub(crate) db: TenantDb,
    pub(crate) directory: PgDirectory,
    pub(crate) store: Uuid,
    /// Limits the connections of each tenant.
    pub(crate) permits: Arc<TenantSemaphores>,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If the server does not answer within 30 s or refuses, if `gateway migrate` was not run, if the audit has critical
    /// findings, or if the database does not know the key. The error lists each finding in a line.
    pub async fn connect(settings: Settings) -> Result<Self> {
        let address = url::address(&settings.postgres);
        let opened = match timeout(START, Self::open(settings)).await {
            Ok(opened) => opened,
            Err(_) => Err(anyhow!("it did not answer within {} s", START.as_secs())),
        };
        opened.with_context(|| format!("cannot use the database at {address}"))
    }

    async fn open(Settings { postgres, listener, key }: Settings) -> Result<Self> {
        check_migrated(&postgres).await?;
        let id = key.id();
        let config = Config::new(postgres, key).max_connections(CONNECTIONS).acquire_timeout(WAIT);
        let db = TenantDb::connect(config).await?;
        let store = store(&db, id).await?;
        let directory = DirectoryConfig::new(listener).max_age(MAX_AGE);
        let directory = PgDirectory::connect(db.clone(), directory).await;
        let directory = directory.context("listening for changes of tenants")?;
        Ok(Self { db, directory, store, permits: Arc::new(TenantSemaphores::new(PER_TENANT)) })
    }
}

/// Checks that the schema exists. The audit of an empty database would have many findings.
async fn check_migrated(postgres: &tokio_postgres::Config) -> Result<()> {
    let (client, connection) = postgres.connect(NoTls).await.map_err(brief)?;
    let connection = tokio::spawn(connection);
    let rows = client.query_typed(IS_MIGRATED, &[]).await.map_err(brief)?;
    let is_migrated = rows.first().is_some_and(|row| row.get(0));
    drop(client);
    let _ = connection.await;
    if !is_migrated {
        bail!("it lacks the tables of this program: `gateway migrate` creates them, with --admin-url URL");
    }
    Ok(())
}

/// Returns the id of the store, which instances share. This is the first query that needs the key.
async fn store(db: &TenantDb, key: i32) -> Result<Uuid> {
    // The table belongs to no tenant, so there is nothing to verify.
    let read = async |tx: &TenantTx<'_>| tx.query_unverified("SELECT id FROM gateway.store", &[]).await;
    match db.tx_in(TenantId::PLATFORM, read).await {
        Ok(rows) => rows.first().map(|row| row.get(0)).context("gateway.store is empty"),
        Err(error) if error.code() == Some(INSUFFICIENT_PRIVILEGE) => Err(error).with_context(|| {
            format!("the key {key} of TENANCY_KEY must be the one that `gateway migrate` registered")
        }),
        Err(error) => Err(error.into()),
    }
}

/// Removes the server's detail, which can contain values.
fn brief(error: tokio_postgres::Error) -> anyhow::Error {
    Error::from(error).into()
}

/// Shows no URL and no tenant.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("db", &self.db)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Shows the id of the key only.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("key", &self.key).finish_non_exhaustive()
    }
}
