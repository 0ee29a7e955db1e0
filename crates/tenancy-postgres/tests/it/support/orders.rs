//! SQL on the table `orders` by clients that enter tenants themselves, without this crate.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tenancy::TenantId;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::database::{Contents, Database};
use super::{A, LATER, SECRET};

/// A database with [`Contents::Orders`], and its operator.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) database: Database,
    pub(crate) operator: Client,
}

impl Orders {
    /// Creates a database on the shared server.
    pub(crate) async fn start() -> Self {
        Self::on(Database::shared(Contents::Orders)).await
    }

    /// Starts a server that no other test uses.
    pub(crate) async fn alone() -> Self {
        Self::on(Database::alone(Contents::Orders)).await
    }

    async fn on(database: Database) -> Self {
        let operator = database.superuser().await;
        Self { database, operator }
    }

    pub(crate) async fn service(&self) -> Client {
        self.database.client("service").await
    }

    /// Returns a connection of the service in a transaction of the tenant.
    pub(crate) async fn entered(&self, tenant: TenantId) -> Client {
        let client = self.service().await;
        enter(&client, tenant).await;
        client
    }

    pub(crate) async fn operate(&self, sql: &str) {
        if let Err(error) = self.operator.batch_execute(sql).await {
            panic!("{sql}: {error:?}");
        }
    }

    /// Returns the outcome of SQL by the service in a transaction of A.
    pub(crate) async fn attack(&self, sql: &str) -> String {
        outcome(&self.entered(A).await, sql).await
    }
}

/// Computes the signature of a context independently of the crate.
pub(crate) fn signature(secret: &[u8], tenant: TenantId, key: i32, expires: i64) -> Vec<u8> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("any length");
    mac.update(b"tenancy.enter.v1");
    mac.update(tenant.as_bytes());
    mac.update(&key.to_be_bytes());
    mac.update(&expires.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Returns `SELECT tenancy.enter(...)` with these arguments.
pub(crate) fn enter_sql(tenant: TenantId, key: i32, expires: i64, signature: &[u8]) -> String {
    format!("SELECT tenancy.enter('{tenant}', {key}, {expires}, '\\x{}')", hex(signature))
}

/// Returns `SELECT tenancy.enter(...)` with a valid signature.
pub(crate) fn enter_as(tenant: TenantId) -> String {
    enter_sql(tenant, 1, LATER, &signature(SECRET, tenant, 1, LATER))
}

/// Begins a transaction of the tenant.
pub(crate) async fn enter(client: &Client, tenant: TenantId) {
    client.batch_execute(&format!("BEGIN; {}", enter_as(tenant))).await.expect("a tenant");
}

/// Returns the rows, with commas between columns and semicolons between rows, or the SQLSTATE of an error.
pub(crate) async fn outcome(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => messages.iter().filter_map(row).collect::<Vec<_>>().join(";"),
        Err(error) => code(&error),
    }
}

fn row(message: &SimpleQueryMessage) -> Option<String> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let columns: Vec<_> = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect();
    Some(columns.join(","))
}

pub(crate) fn code(error: &Error) -> String {
    error.code().map_or_else(|| format!("{error:?}"), |code| format!("ERROR {}", code.code()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
