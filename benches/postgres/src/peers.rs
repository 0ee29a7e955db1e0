//! The alternatives to tenancy-postgres that are measured.

use std::path::Path;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, QueueMode, RecyclingMethod};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use uuid::Uuid;

use crate::tables::{SECRET, TENANT};

/// Selects a row by its id.
pub const SELECT: &str = "SELECT tenant_id, title FROM notes WHERE id = $1";
/// Selects 100 rows of a tenant.
pub const PAGE: &str = "SELECT tenant_id, title FROM notes WHERE tenant_id = $1 LIMIT 100";
/// Inserts a row with this title.
pub const INSERT: &str = "INSERT INTO notes (title) VALUES ($1)";
/// Sets the title of the row with this id.
pub const UPDATE: &str = "UPDATE notes SET title = $1 WHERE id = $2";

/// The end of a context's validity, 2100-01-01.
const LATER: i64 = 4_102_444_800;

/// Statements without a tenant, by tokio-postgres and a pool that hands out the newest session first.
#[derive(Clone, Debug)]
pub struct Plain(Connections);

impl Plain {
    /// Creates the pool. It connects when it is used.
    pub fn new(config: Config, sessions: usize) -> Self {
        Self(Connections::new(config, sessions))
    }

    /// Selects one row in an implicit transaction.
    pub async fn select(&self, id: i64) -> Result<Vec<Row>, Error> {
        self.0.get().await.query_typed(SELECT, &[(&id, Type::INT8)]).await
    }

    /// Selects one row by a statement that the session has prepared before.
    pub async fn select_prepared(&self, id: i64) -> Result<Vec<Row>, Error> {
        let client = self.0.get().await;
        let statement = client.prepare_cached(SELECT).await?;
        client.query(&statement, &[&id]).await
    }

    /// Selects 100 rows.
    pub async fn page(&self) -> Result<Vec<Row>, Error> {
        self.0.get().await.query_typed(PAGE, &[(&Uuid::from(TENANT), Type::UUID)]).await
    }

    /// Inserts one row.
    pub async fn insert(&self, title: &str) -> Result<u64, Error> {
        self.0.get().await.execute_typed(INSERT, &[(&title, Type::TEXT)]).await
    }

    /// Updates one row.
    pub async fn update(&self, title: &str, id: i64) -> Result<u64, Error> {
        let client = self.0.get().await;
        client.execute_typed(UPDATE, &[(&title, Type::TEXT), (&id, Type::INT8)]).await
    }

    /// Inserts and selects in an explicit transaction.
    pub async fn transaction(&self, title: &str, id: i64) -> Result<Vec<Row>, Error> {
        let mut client = self.0.get().await;
        let tx = client.transaction().await?;
        tx.execute_typed(INSERT, &[(&title, Type::TEXT)]).await?;
        let rows = tx.query_typed(SELECT, &[(&id, Type::INT8)]).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// The signed context of tenancy-postgres, but each statement is awaited before the next is sent.
#[derive(Clone, Debug)]
pub struct Separate(Connections);

impl Separate {
    /// Creates the pool. It connects when it is used.
    pub fn new(config: Config, sessions: usize) -> Self {
        Self(Connections::new(config, sessions))
    }

    /// Selects one row of the tenant.
    pub async fn select(&self, id: i64) -> Result<Vec<Row>, Error> {
        let client = self.0.get().await;
        Self::begin(&client).await?;
        let rows = client.query_typed(SELECT, &[(&id, Type::INT8)]).await?;
        client.batch_execute("COMMIT").await?;
        Ok(rows)
    }

    /// Begins a transaction of the tenant on any connection.
    pub async fn begin(client: &Client) -> Result<(), Error> {
        client.batch_execute("BEGIN").await?;
        let (tenant, signature) = (Uuid::from(TENANT), signature());
        let signature = signature.as_slice();
        let params: [(&(dyn ToSql + Sync), Type); 4] =
            [(&tenant, Type::UUID), (&1_i32, Type::INT4), (&LATER, Type::INT8), (&signature, Type::BYTEA)];
        client.query_typed("SELECT tenancy.enter($1, $2, $3, $4)", &params).await.map(drop)
    }
}

fn signature() -> Vec<u8> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(SECRET).expect("HMAC accepts any length");
    mac.update(b"tenancy.enter.v1");
    mac.update(TENANT.as_bytes());
    mac.update(&1_i32.to_be_bytes());
    mac.update(&LATER.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The usual way with sqlx: a setting that names the tenant. Any SQL of the service can change this setting.
#[derive(Clone, Debug)]
pub struct Guide(PgPool);

impl Guide {
    /// Creates the pool. It connects when it is used, and does not test a connection first, like the other pools.
    pub fn new(folder: &Path, sessions: u32) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(folder)
            .port(5432)
            .username("service")
            .database("peers");
        let pool = PgPoolOptions::new().max_connections(sessions).test_before_acquire(false);
        Self(pool.connect_lazy_with(options))
    }

    /// Selects one row of the tenant.
    pub async fn select(&self, id: i64) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut tx = self.begin().await?;
        let select = sqlx::query("SELECT tenant_id, title FROM guide WHERE id = $1").bind(id);
        let rows = select.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Selects 100 rows of the tenant.
    pub async fn page(&self) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut tx = self.begin().await?;
        let select = sqlx::query("SELECT tenant_id, title FROM guide WHERE tenant_id = $1 LIMIT 100");
        let rows = select.bind(Uuid::from(TENANT)).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Inserts one row of the tenant.
    pub async fn insert(&self, title: &str) -> Result<u64, sqlx::Error> {
        let mut tx = self.begin().await?;
        let insert = sqlx::query("INSERT INTO guide (title) VALUES ($1)").bind(title);
        let inserted = insert.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(inserted)
    }

    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        let mut tx = self.0.begin().await?;
        let tenant = TENANT.to_text();
        let set = sqlx::query("SELECT set_config('app.tenant_id', $1, true)").bind(tenant.as_str());
        set.execute(&mut *tx).await?;
        Ok(tx)
    }
}

#[derive(Clone, Debug)]
struct Connections(Pool);

impl Connections {
    fn new(config: Config, sessions: usize) -> Self {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(sessions).queue_mode(QueueMode::Lifo);
        Self(pool.build().expect("a pool without time-outs"))
    }

    async fn get(&self) -> Object {
        self.0.get().await.expect("a connection")
    }
}
