//! What a program would do instead.

use std::path::Path;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row};
use uuid::Uuid;

use crate::tables::{SECRET, TENANT};

/// One row, by its id.
pub const SELECT: &str = "SELECT tenant_id, title FROM notes WHERE id = $1";
/// A row of this title.
pub const INSERT: &str = "INSERT INTO notes (title) VALUES ($1)";
/// One row gets this title, by its id.
pub const UPDATE: &str = "UPDATE notes SET title = $1 WHERE id = $2";

/// Not soon: 2100-01-01.
const LATER: i64 = 4_102_444_800;

/// Statements without a tenant, from a pool of the same kind.
#[derive(Debug)]
pub struct Plain(Connections);

impl Plain {
    /// Connects when it is used.
    pub fn new(config: Config) -> Self {
        Self(Connections::new(config))
    }

    /// One row, in a transaction that the server begins and ends.
    pub async fn select(&self, id: i64) -> Result<Vec<Row>, Error> {
        self.0.get().await.query_typed(SELECT, &[(&id, Type::INT8)]).await
    }

    /// Writes one row.
    pub async fn update(&self, title: &str, id: i64) -> Result<u64, Error> {
        let client = self.0.get().await;
        client.execute_typed(UPDATE, &[(&title, Type::TEXT), (&id, Type::INT8)]).await
    }

    /// An explicit transaction: an insert and a select.
    pub async fn transaction(&self, title: &str, id: i64) -> Result<Vec<Row>, Error> {
        let mut client = self.0.get().await;
        let tx = client.transaction().await?;
        tx.execute_typed(INSERT, &[(&title, Type::TEXT)]).await?;
        let rows = tx.query_typed(SELECT, &[(&id, Type::INT8)]).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// The same signed context, each statement awaited before the next is sent.
#[derive(Debug)]
pub struct Separate(Connections);

impl Separate {
    /// Connects when it is used.
    pub fn new(config: Config) -> Self {
        Self(Connections::new(config))
    }

    /// One row of the tenant's.
    pub async fn select(&self, id: i64) -> Result<Vec<Row>, Error> {
        let client = self.0.get().await;
        Self::begin(&client).await?;
        let rows = client.query_typed(SELECT, &[(&id, Type::INT8)]).await?;
        client.batch_execute("COMMIT").await?;
        Ok(rows)
    }

    /// A transaction of the tenant's, on any connection.
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
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(SECRET).expect("any length");
    mac.update(b"tenancy.enter.v1");
    mac.update(TENANT.as_bytes());
    mac.update(&1_i32.to_be_bytes());
    mac.update(&LATER.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// What guides show, with sqlx: a setting, which any SQL can set as well.
#[derive(Debug)]
pub struct Guide(PgPool);

impl Guide {
    /// Connects when it is used. Its pool does not ask a connection whether it is there, for the other pools don't.
    pub fn new(folder: &Path) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(folder)
            .port(5432)
            .username("service")
            .database("peers");
        Self(PgPoolOptions::new().max_connections(8).test_before_acquire(false).connect_lazy_with(options))
    }

    /// One row of the tenant's.
    pub async fn select(&self, id: i64) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut tx = self.0.begin().await?;
        let tenant = TENANT.to_text();
        sqlx::query("SELECT set_config('app.tenant_id', $1, true)")
            .bind(tenant.as_str())
            .execute(&mut *tx)
            .await?;
        let rows = sqlx::query("SELECT tenant_id, title FROM guide WHERE id = $1")
            .bind(id)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(rows)
    }
}

#[derive(Debug)]
struct Connections(Pool);

impl Connections {
    fn new(config: Config) -> Self {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        Self(Pool::builder(manager).max_size(8).build().expect("a pool"))
    }

    async fn get(&self) -> Object {
        self.0.get().await.expect("a connection")
    }
}
