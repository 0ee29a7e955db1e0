//! Tables and their rows.

use tenancy::{TenantId, tenant_id};
use tenancy_postgres::{SigningKey, add_key, enable_table, migrate};
use tokio_postgres::Client;

/// The tenant whose rows are selected. It is one of ten.
pub const TENANT: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-000000000001");
/// The number of rows of `notes`. Every tenth row belongs to the tenant: 1, 11, 21 and so on.
pub const NOTES: i64 = 1_000;
pub(crate) const SECRET: &[u8] = b"a secret of the benchmarks alone";

/// The tenant of row `n`.
const TENANT_OF_ROW: &str = "('aaaaaaaa-0000-4000-8000-00000000000' || n % 10)::uuid";

/// The key that signs contexts.
pub fn key() -> SigningKey {
    SigningKey::new(1, SECRET).expect("a key")
}

/// Creates `notes` as a table of tenants, and the role `service`.
pub async fn notes(operator: &mut Client) {
    tenants(operator).await;
    run(operator, "CREATE TABLE notes (id bigserial PRIMARY KEY, title text NOT NULL, tenant_id uuid)").await;
    fill_notes(operator, "notes").await;
    enable_table("notes").run(operator).await.expect("a table of tenants");
    run(operator, "CREATE ROLE service LOGIN IN ROLE tenancy_app").await;
    run(operator, "VACUUM ANALYZE notes").await;
}

/// Creates the same `notes` without row-level security, and `guide` with the policy that guides show.
///
/// Any SQL of the service can evade this policy. The tables need a database of their own: `TenantDb` refuses to use one
/// with such tables.
pub async fn peers_notes(operator: &Client) {
    for table in ["notes", "guide"] {
        let sql = format!(
            "CREATE TABLE {table} (id bigserial PRIMARY KEY, title text NOT NULL, \
             tenant_id uuid NOT NULL DEFAULT '{TENANT}'); \
             CREATE INDEX ON {table} (tenant_id); \
             GRANT SELECT, INSERT, UPDATE ON {table} TO service; GRANT USAGE ON SEQUENCE {table}_id_seq TO service"
        );
        run(operator, &sql).await;
        fill_notes(operator, table).await;
    }
    run(operator, "ALTER TABLE guide ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").await;
    let policy =
        "CREATE POLICY guide ON guide USING (tenant_id = (SELECT current_setting('app.tenant_id')::uuid))";
    run(operator, policy).await;
    run(operator, "VACUUM ANALYZE notes").await;
    run(operator, "VACUUM ANALYZE guide").await;
}

/// Creates three tables with the same rows: `emitted` has the policy of tenancy-postgres, `each_row` has this policy
/// without its sub-select, and `plain` has none.
pub async fn large(operator: &mut Client, rows: u64) {
    tenants(operator).await;
    for table in ["emitted", "each_row", "plain"] {
        let sql = format!(
            "CREATE UNLOGGED TABLE {table} (id bigint, amount integer, tenant_id uuid NOT NULL); \
             INSERT INTO {table} SELECT n, n % 1000, {TENANT_OF_ROW} FROM generate_series(1, {rows}) n"
        );
        run(operator, &sql).await;
    }
    for table in ["emitted", "each_row"] {
        enable_table(table).run(operator).await.expect("a table of tenants");
    }
    let sql = "DROP POLICY tenancy_isolation ON each_row; \
         CREATE POLICY tenancy_isolation ON each_row AS RESTRICTIVE USING (tenant_id = tenancy.tenant_id()); \
         GRANT SELECT ON plain TO service";
    run(operator, sql).await;
    for table in ["emitted", "each_row", "plain"] {
        run(operator, &format!("VACUUM ANALYZE {table}")).await;
    }
}

async fn tenants(operator: &mut Client) {
    migrate(operator).await.expect("the schema `tenancy`");
    add_key(operator, &key()).await.expect("a key");
}

async fn fill_notes(operator: &Client, table: &str) {
    let sql = format!(
        "INSERT INTO {table} (title, tenant_id) \
         SELECT 'the title of note ' || n, {TENANT_OF_ROW} FROM generate_series(1, {NOTES}) n"
    );
    run(operator, &sql).await;
}

async fn run(operator: &Client, sql: &str) {
    if let Err(error) = operator.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}
