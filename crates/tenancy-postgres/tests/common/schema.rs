//! A server with the schema `tenancy`, one table, and two tenants' rows in it.

#![allow(dead_code, reason = "each test file uses its part")]

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tenancy::{TenantId, tenant_id};
use tenancy_postgres::{SigningKey, add_key, enable_table, migrate};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::Server;

pub(crate) const A: TenantId = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
pub(crate) const B: TenantId = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");
pub(crate) const SECRET: &[u8] = b"a secret of the tests, not of others";

/// Not soon: 2100-01-01.
pub(crate) const LATER: i64 = 4_102_444_800;

/// Its user `service` is what a program connects as.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) server: Server,
    pub(crate) operator: Client,
}

impl Schema {
    /// `orders` has the rows 1, 11 of A and 2, 22 of B, by their id and amount.
    pub(crate) async fn start() -> Self {
        let server = Server::start();
        let mut operator = server.superuser().await;
        migrate(&mut operator).await.expect("a schema");
        add_key(&operator, &SigningKey::new(1, SECRET).expect("a key")).await.expect("a key");
        let sql = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE TABLE orders (id bigint PRIMARY KEY, amount integer); \
            CREATE ROLE service LOGIN IN ROLE tenancy_app;";
        operator.batch_execute(sql).await.expect("a table");
        enable_table("orders").run(&operator).await.expect("a tenants' table");
        let sql = format!("INSERT INTO orders VALUES (1, 11, '{A}'), (2, 22, '{B}')");
        operator.batch_execute(&sql).await.expect("rows");
        Self { server, operator }
    }

    pub(crate) async fn service(&self) -> Client {
        self.server.client("service", "postgres").await
    }

    /// A service's connection, in a transaction of the tenant's.
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

    /// What SQL by a service in A comes to.
    pub(crate) async fn attack(&self, sql: &str) -> String {
        outcome(&self.entered(A).await, sql).await
    }
}

/// Another program's HMAC, by another key as well.
pub(crate) fn signature(secret: &[u8], tenant: TenantId, key: i32, expires: i64) -> Vec<u8> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(secret).expect("any length");
    mac.update(b"tenancy.enter.v1");
    mac.update(tenant.as_bytes());
    mac.update(&key.to_be_bytes());
    mac.update(&expires.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `SELECT tenancy.enter(...)`, of these parts.
pub(crate) fn enter_sql(tenant: TenantId, key: i32, expires: i64, signature: &[u8]) -> String {
    format!("SELECT tenancy.enter('{tenant}', {key}, {expires}, '\\x{}')", hex(signature))
}

/// The same, as it should be.
pub(crate) fn enter_as(tenant: TenantId) -> String {
    enter_sql(tenant, 1, LATER, &signature(SECRET, tenant, 1, LATER))
}

pub(crate) async fn enter(client: &Client, tenant: TenantId) {
    client.batch_execute(&format!("BEGIN; {}", enter_as(tenant))).await.expect("a tenant");
}

/// The rows, their columns joined by commas and the rows by semicolons; for an error its SQLSTATE.
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
