//! The Postgres that instances of this service share: it keeps tenants, notes and agents.

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

use crate::places::Places;
use crate::secret::Secret;

pub use migrate::migrate;

/// How long the server may take until all is looked at.
const START: Duration = Duration::from_secs(30);
/// How long a question may take, so that it is answered while its caller still waits.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);
/// How long a connection is waited for.
const WAIT: Duration = Duration::from_secs(4);
/// How long a tenant's state may be kept where the listener hears nothing.
/// The SQLSTATE of a key that the database does not know, among others.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
const MAX_AGE: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 16;
/// How many of them a tenant has at once.
const PER_TENANT: usize = 4;

/// What is there after `gateway migrate`. Whether the user may use it is the audit's to say.
const IS_MIGRATED: &str = "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 4 FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE pg_catalog.concat(n.nspname, '.', c.relname) \
     OPERATOR(pg_catalog.=) ANY (ARRAY['tenancy.tenants', 'tenancy_agents.agents', 'gateway.notes', 'gateway.store'])";

/// Where the database is, and the key that enters its tenants.
#[derive(Clone)]
pub struct Settings {
    postgres: tokio_postgres::Config,
    listener: tokio_postgres::Config,
    key: SigningKey,
}

impl Settings {
    /// Of a URL, the key as `ID:HEX`, and the URL of a direct connection where the first one is a pooler's.
    ///
    /// # Errors
    ///
    /// Where the key is missing, or one of them makes no sense. None is repeated.
    pub fn new(url: &Secret, key: Option<&Secret>, listen_url: Option<&Secret>) -> Result<Self> {
        let postgres = url::parse(url)?;
        let listener = listen_url.map_or_else(|| Ok(postgres.clone()), url::parse)?;
        Ok(Self { postgres, listener, key: signing_key(key)? })
    }
}

/// The key that signs for which tenant a transaction is.
///
/// # Errors
///
/// Where it is missing, or makes no sense.
pub fn signing_key(key: Option<&Secret>) -> Result<SigningKey> {
    let key = key.context(
        "a database needs a key: --tenancy-key or TENANCY_KEY, as ID:HEX, the same for `gateway migrate` and for each \
         instance",
    )?;
    key.text().parse().context("the tenancy key makes no sense: 1:$(openssl rand -hex 32) makes one")
}

/// A database that was looked at: it would not leak, and knows the key.
#[derive(Clone)]
pub struct Database {
    pub(crate) db: TenantDb,
    pub(crate) directory: PgDirectory,
    pub(crate) store: Uuid,
    /// For all that is kept in it together.
    pub(crate) places: Arc<Places>,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Where the server does not answer within 30 s, or refuses; where `gateway migrate` was not run; where the audit
    /// has a critical finding: all of them, a line each; where the database does not know the key.
    pub async fn connect(settings: Settings) -> Result<Self> {
        let address = url::address(&settings.postgres);
        let opened = match timeout(START, Self::open(settings)).await {
            Ok(opened) => opened,
            Err(_) => Err(anyhow!("it did not answer within {} s", START.as_secs())),
        };
        opened.with_context(|| format!("can't use the database at {address}"))
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
        Ok(Self { db, directory, store, places: Arc::new(Places::new(PER_TENANT)) })
    }
}

/// The first question to it is whether there is anything: an audit of nothing has many findings.
async fn check_migrated(postgres: &tokio_postgres::Config) -> Result<()> {
    let (client, connection) = postgres.connect(NoTls).await.map_err(brief)?;
    let connection = tokio::spawn(connection);
    let rows = client.query_typed(IS_MIGRATED, &[]).await.map_err(brief)?;
    let is_migrated = rows.first().is_some_and(|row| row.get(0));
    drop(client);
    let _ = connection.await;
    if !is_migrated {
        bail!("it lacks what this program keeps things in: `gateway migrate` makes it, by --admin-url URL");
    }
    Ok(())
}

/// By which id instances know that their notes are the same. It is the first question that a key is needed for.
async fn store(db: &TenantDb, key: i32) -> Result<Uuid> {
    // It is no tenant's, so there is nothing to verify.
    let read = async |tx: &TenantTx<'_>| tx.query_unverified("SELECT id FROM gateway.store", &[]).await;
    match db.tx_in(TenantId::PLATFORM, read).await {
        Ok(rows) => rows.first().map(|row| row.get(0)).context("gateway.store is empty"),
        Err(error) if error.code() == Some(INSUFFICIENT_PRIVILEGE) => Err(error).with_context(|| {
            format!(
                "by the key {key} of TENANCY_KEY, which is to be the one that `gateway migrate` was given"
            )
        }),
        Err(error) => Err(error.into()),
    }
}

/// Removes the server's detail, which can contain values.
fn brief(error: tokio_postgres::Error) -> anyhow::Error {
    Error::from(error).into()
}

/// Shows nothing of the URL, and no tenant.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("db", &self.db)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Shows which key it is, and no more.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("key", &self.key).finish_non_exhaustive()
    }
}
