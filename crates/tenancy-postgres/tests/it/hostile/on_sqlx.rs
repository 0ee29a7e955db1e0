//! Hostile SQL on sqlx, which caches prepared statements per session.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tenancy::TenantId;
use tenancy_postgres::{SqlxError, SqlxTenantDb};

use crate::support::database::Database;
use crate::support::{A, B, key};

async fn connect(database: &Database) -> SqlxTenantDb {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(database.folder())
        .username("service")
        .database(&database.name);
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(30));
    SqlxTenantDb::connect(pool, options, key()).await.expect("a database")
}

async fn titles(db: &SqlxTenantDb, tenant: TenantId, first: &'static str) -> Result<usize, SqlxError> {
    db.tx_in(tenant, async |tx| {
        sqlx::query(first).execute(&mut **tx).await?;
        Ok(sqlx::query("SELECT title FROM notes").fetch_all(&mut **tx).await?.len())
    })
    .await
}

/// A statement that was prepared with A's temporary table returns another column type without it.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_cached_statement_does_not_refer_to_a_table_of_another_tenant() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await.expect("revoked");
    let db = connect(&database).await;
    titles(&db, A, "CREATE TEMP TABLE notes (title int)").await?;
    let mut failed = Vec::new();
    for _ in 0..3 {
        failed.extend(titles(&db, B, "SELECT 1").await.err());
    }
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}
