//! A database with tenants in it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tenancy::{TenantFutureExt, TenantId, tenant_id};
use tenancy_postgres::{Config, SigningKey, TenantDb, add_key, migrate, migrations};
use tokio_postgres::{Client, Row};

use super::Server;

pub(crate) const A: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-00000000000a");
pub(crate) const B: TenantId = tenant_id!("bbbbbbbb-0000-4000-8000-00000000000b");
pub(crate) const SECRET: &[u8; 32] = b"the tests' own secret: 32 bytes.";

pub(crate) fn key() -> SigningKey {
    SigningKey::new(1, SECRET).expect("a key")
}

/// What a client that has the key would send.
pub(crate) fn sign(tenant: TenantId, expires: i64) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length");
    for part in
        [b"tenancy.enter.v1".as_slice(), tenant.as_bytes(), &1_i32.to_be_bytes(), &expires.to_be_bytes()]
    {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `notes` is of tenants. `plain` is of nobody, and can be written once a database is connected.
const TABLES: &str = "
CREATE TABLE public.notes (id bigserial PRIMARY KEY, title text NOT NULL);
CREATE TABLE public.plain (id bigserial PRIMARY KEY, title text NOT NULL);
SELECT tenancy.enable_table('public.notes');
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tenancy_app;
GRANT TEMPORARY ON DATABASE postgres TO tenancy_app;
CREATE ROLE service LOGIN IN ROLE tenancy_app;
";

/// The migrations, the tables and a login `service`.
pub(crate) async fn set_up(server: &Server) -> Client {
    let mut superuser = server.superuser().await;
    let applied = migrate(&mut superuser).await.expect("migrations");
    assert_eq!(applied.len(), migrations().len());
    add_key(&superuser, &key()).await.expect("a key");
    superuser.batch_execute(TABLES).await.expect("tables");
    superuser
}

pub(crate) fn config(server: &Server) -> Config {
    // By itself it would give up after 5 s, with a connection that is slow to be made too.
    Config::new(server.config("service", "postgres"), key()).wait(Duration::from_secs(30))
}

pub(crate) async fn connect(server: &Server, pool_size: usize) -> TenantDb {
    connect_by(server, config(server).pool_size(pool_size)).await
}

/// The audit refuses a table that anyone can write: it is granted afterwards.
pub(crate) async fn connect_by(server: &Server, config: Config) -> TenantDb {
    let superuser = server.superuser().await;
    superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await.expect("revoked");
    let db = TenantDb::connect(config).await.expect("a database");
    let open = "GRANT SELECT, INSERT, UPDATE, DELETE ON public.plain TO tenancy_app";
    superuser.batch_execute(open).await.expect("granted");
    db
}

pub(crate) fn titles(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.get("title")).collect()
}

pub(crate) async fn insert(db: &TenantDb, tenant: TenantId, title: &str) {
    let inserted = db.execute("INSERT INTO notes (title) VALUES ($1)", &[&title]).in_tenant(tenant).await;
    assert_eq!(inserted.expect("inserted"), 1);
}

pub(crate) async fn notes(db: &TenantDb, tenant: TenantId) -> Vec<String> {
    let rows = db.query("SELECT tenant_id, title FROM notes ORDER BY id", &[]).in_tenant(tenant).await;
    titles(&rows.expect("rows"))
}
