//! Tenants' notes in a database with [`Contents::Notes`].

use std::time::Duration;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::Row;
use tenancy_postgres::{Config, TenantDb};

use super::database::{Contents, Database};
use super::key;

impl Database {
    /// Creates a database with the tables `notes` and `plain` on the shared server.
    pub(crate) fn with_notes() -> Self {
        Self::shared(Contents::Notes)
    }
}

pub(crate) fn config(database: &Database) -> Config {
    // The default is 5 s, which a busy machine can need for one connection.
    Config::new(database.config("service"), key()).acquire_timeout(Duration::from_secs(30))
}

pub(crate) async fn connect(database: &Database, pool_size: usize) -> TenantDb {
    connect_by(database, config(database).max_connections(pool_size)).await
}

/// Connects, and grants `plain` afterwards: the audit rejects a table that every tenant can write.
pub(crate) async fn connect_by(database: &Database, config: Config) -> TenantDb {
    let superuser = database.superuser().await;
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
