//! The tables, and the rows in them.

use tenancy::{TenantId, tenant_id};
use tenancy_postgres::{SigningKey, add_key, enable_table, migrate};
use tokio_postgres::Client;

/// Whose rows are asked for: one of ten tenants.
pub const TENANT: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-000000000001");
/// The rows of `notes`, of which each tenth is the tenant's: 1, 11, 21.
pub const NOTES: i64 = 1_000;
/// The rows of `amounts`, of which each tenth is the tenant's.
const LARGE: i64 = 1_000_000;

pub(crate) const SECRET: &[u8] = b"a secret of the benchmarks alone";

/// The row's tenant, from its number `n`.
const TENANT_OF_ROW: &str = "('aaaaaaaa-0000-4000-8000-00000000000' || n % 10)::uuid";

/// What the service signs by.
pub fn key() -> SigningKey {
    SigningKey::new(1, SECRET).expect("a key")
}

/// `notes` as tenancy-postgres has it, and the login `service`.
pub async fn notes(operator: &mut Client) {
    tenants(operator).await;
    run(operator, "CREATE TABLE notes (id bigserial PRIMARY KEY, title text NOT NULL, tenant_id uuid)").await;
    fill_notes(operator, "notes").await;
    enable_table("notes").run(operator).await.expect("a tenants' table");
    run(operator, "CREATE ROLE service LOGIN IN ROLE tenancy_app").await;
    run(operator, "VACUUM ANALYZE notes").await;
}

/// The same `notes` without row-level security, and `guide` with the policy that guides show, which any SQL can get
/// round: in a database of their own, for the audit would find them.
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

/// Three times the same 1,000,000 rows: `emitted` has the policy of tenancy-postgres, `each_row` the same without its
/// sub-select, and `plain` none.
pub async fn large(operator: &mut Client) {
    tenants(operator).await;
    for table in ["emitted", "each_row", "plain"] {
        let sql = format!(
            "CREATE UNLOGGED TABLE {table} (id bigint, amount integer, tenant_id uuid NOT NULL); \
             INSERT INTO {table} SELECT n, n % 1000, {TENANT_OF_ROW} FROM generate_series(1, {LARGE}) n"
        );
        run(operator, &sql).await;
    }
    for table in ["emitted", "each_row"] {
        enable_table(table).run(operator).await.expect("a tenants' table");
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
    migrate(operator).await.expect("the schema tenancy");
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
