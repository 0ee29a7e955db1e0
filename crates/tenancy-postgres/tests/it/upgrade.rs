//! The way from version 4 of the schema to version 5, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tenancy::TenantId;
use tenancy_postgres::{
    Finding, FindingKind, Finished, Severity, SigningKey, add_key, audit_role, enable_table, finish, migrate,
    migrations, revert,
};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::context_v2::{Domains, token_of};
use crate::support::database::{Contents, Database};
use crate::support::orders::{code, enter_as, outcome};
use crate::support::{A, B, LIMIT, eventually, key};

/// Returns a database at version 4 with the table `orders`, and its operator.
async fn version_4() -> (Database, Client) {
    let database = Database::alone(Contents::Nothing);
    let mut operator = database.superuser().await;
    migrate(&mut operator).await.expect("all versions");
    assert_eq!(revert(&mut operator, 4).await.expect("version 4"), [5]);
    add_key(&operator, &key()).await.expect("a key");
    let sql = format!(
        "CREATE ROLE service LOGIN IN ROLE tenancy_app; \
        CREATE TABLE orders (id bigint PRIMARY KEY, amount integer); SELECT tenancy.enable_table('orders'); \
        INSERT INTO orders VALUES (1, 11, '{A}'), (2, 22, '{B}')"
    );
    operator.batch_execute(&sql).await.expect("a table");
    (database, operator)
}

/// Clients of v1 that work in a loop, each on a connection of its own.
struct OldClients {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl OldClients {
    async fn start(database: &Database) -> Self {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = Vec::new();
        for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
            for (tenant, row) in [(A, "1,11"), (B, "2,22")] {
                let client = database.client("service").await;
                let (stop, rounds) = (stop.clone(), rounds.clone());
                tasks.push(tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        work(&client, isolation, tenant, row).await;
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
        }
        Self { stop, rounds, tasks }
    }

    /// Waits until each client has completed a few more rounds.
    async fn more(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        let limit = before + 30;
        eventually("rounds of the old clients", LIMIT, async || {
            self.tasks.iter().any(JoinHandle::is_finished) || self.rounds.load(Ordering::Relaxed) >= limit
        })
        .await;
        assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a statement of an old client failed");
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no statement of an old client failed");
        }
    }
}

/// Runs a transaction as a client of v1 does, and checks each answer.
async fn work(client: &Client, isolation: &str, tenant: TenantId, row: &str) {
    let begin = format!("BEGIN ISOLATION LEVEL {isolation}; {}", enter_as(tenant));
    assert_eq!(outcome(client, &begin).await, "");
    assert_eq!(outcome(client, "SELECT id, amount FROM orders WHERE id < 10").await, row);
    let insert =
        format!("INSERT INTO orders VALUES (10 + pg_backend_pid(), 0) RETURNING tenant_id = '{tenant}'");
    assert_eq!(outcome(client, &insert).await, "t");
    let delete =
        format!("DELETE FROM orders WHERE id = 10 + pg_backend_pid() RETURNING tenant_id = '{tenant}'");
    assert_eq!(outcome(client, &delete).await, "t");
    assert_eq!(outcome(client, "SET CONSTRAINTS ALL IMMEDIATE; SELECT tenancy.leave()").await, "f");
    client.batch_execute("COMMIT").await.expect("committed");
}

/// Returns what a client of v2 reads.
async fn read(client: &Client, tenant: TenantId) -> String {
    let domains = Domains::of(client).await;
    client.batch_execute("BEGIN").await.expect("a transaction");
    domains.enter(client, token_of(tenant)).await.expect("entered");
    let rows = outcome(client, "SELECT id, amount FROM orders WHERE id < 10").await;
    if !rows.starts_with("ERROR") {
        domains.leave(client, 0.5).await.expect("left");
    }
    client.batch_execute("COMMIT").await.expect("it ends");
    rows
}

/// Returns the findings about the schema `tenancy` and about what `enable_table` emits.
async fn altered(operator: &mut Client) -> Vec<Finding> {
    let mut findings = audit_role(operator, "service").await.expect("findings");
    findings.retain(|finding| {
        finding.severity == Severity::Critical || finding.kind == FindingKind::DefaultMissing
    });
    findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn clients_of_v1_continue_during_the_migration_and_beside_v2() {
    let (database, mut operator) = version_4().await;
    let unfinished = finish(&mut operator).await.expect_err("version 5 is missing");
    assert_eq!(code(&unfinished), "ERROR 55000");
    let old = OldClients::start(&database).await;
    old.more().await;
    // A transaction that stays open does not delay the migration, and it ends as it began.
    let open = database.client("service").await;
    open.batch_execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {}", enter_as(A))).await.expect("v1");
    for _ in 0..3 {
        assert_eq!(migrate(&mut operator).await.expect("version 5"), [5]);
        old.more().await;
        let new = database.client("service").await;
        for (tenant, row) in [(A, "1,11"), (B, "2,22")] {
            assert_eq!(read(&new, tenant).await, row);
        }
        old.more().await;
        let seen = outcome(&open, "SELECT id, amount FROM orders WHERE id < 10; COMMIT").await;
        assert_eq!(seen, "1,11", "the open transaction keeps its tenant");
        assert_eq!(revert(&mut operator, 4).await.expect("version 4"), [5]);
        old.more().await;
        open.batch_execute(&format!("BEGIN; {}", enter_as(A))).await.expect("v1");
    }
    old.stop().await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finish_removes_v1_and_is_idempotent() {
    let (database, mut operator) = version_4().await;
    let service = database.client("service").await;
    migrate(&mut operator).await.expect("version 5");
    operator.batch_execute("CREATE TABLE lines (id int)").await.expect("a table");
    enable_table("lines").run(&operator).await.expect("enabled");
    assert_eq!(altered(&mut operator).await, []);

    let finished = finish(&mut operator).await.expect("finished");
    assert_eq!((&finished.versions[..], &finished.tables[..]), (&[5][..], &["public.orders".to_owned()][..]));
    assert_eq!(finish(&mut operator).await.expect("again"), Finished::default());
    assert_eq!(migrate(&mut operator).await.expect("nothing"), [0; 0]);
    let left = "SELECT to_regclass('tenancy.keys'), to_regclass('tenancy.minting'), to_regprocedure('tenancy.leave()'); \
        SELECT count(*) FROM tenancy.migrations WHERE finished_at IS NOT NULL";
    assert_eq!(outcome(&operator, left).await, "NULL,NULL,NULL;1");
    assert_eq!(altered(&mut operator).await, []);

    let refused = service.simple_query(&format!("BEGIN; {}", enter_as(A))).await.expect_err("v1");
    let refused = refused.as_db_error().expect("the server's");
    assert_eq!(refused.code().code(), "42501");
    assert_eq!(refused.message(), "tenancy: context v1 was removed from this database");
    assert_eq!(refused.hint(), Some("Update tenancy-postgres in this client."));
    service.batch_execute("ROLLBACK").await.expect("it ends");
    for (tenant, row) in [(A, "1,11"), (B, "2,22")] {
        assert_eq!(read(&service, tenant).await, row);
    }
    let insert = "INSERT INTO orders VALUES (3, 33)";
    assert_eq!(outcome(&service, insert).await, "ERROR 42501", "the default without a tenant");

    let other = SigningKey::new(2, &[7; 32]).expect("a key");
    add_key(&operator, &other).await.expect("added");
    add_key(&operator, &other).await.expect("the same");
    let taken = SigningKey::new(2, &[8; 32]).expect("a key");
    assert_eq!(code(&add_key(&operator, &taken).await.expect_err("taken")), "ERROR 23505");
    let retire = "SELECT tenancy.retire_key(2), tenancy.retire_key(2, 'infinity'); \
        SELECT not_after < now() + interval '1 minute' FROM tenancy.secrets WHERE id = 2";
    assert_eq!(outcome(&operator, retire).await, ",;t");
    assert_eq!(outcome(&operator, "SELECT tenancy.retire_key(3)").await, "ERROR P0002");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_finished_database_can_be_reverted_and_needs_its_keys_again() {
    let (database, mut operator) = version_4().await;
    let functions = "SELECT proname, prosrc, proacl::text, proowner::regrole FROM pg_proc \
        WHERE pronamespace = 'tenancy'::regnamespace ORDER BY 1, 2; \
        SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'tenancy'::regnamespace ORDER BY 1; \
        SELECT version FROM tenancy.migrations";
    let before = outcome(&operator, functions).await;
    migrate(&mut operator).await.expect("version 5");
    finish(&mut operator).await.expect("finished");
    assert_eq!(revert(&mut operator, 4).await.expect("version 4"), [5]);
    assert_eq!(outcome(&operator, functions).await, before);
    let service = database.client("service").await;
    let enter = format!("BEGIN; {}", enter_as(A));
    assert_eq!(outcome(&service, &enter).await, "ERROR 42501", "the database has no key");
    service.batch_execute("ROLLBACK").await.expect("it ends");
    add_key(&operator, &key()).await.expect("added");
    work(&service, "READ COMMITTED", A, "1,11").await;
    work(&service, "READ COMMITTED", B, "2,22").await;
    assert_eq!(migrate(&mut operator).await.expect("version 5"), [5]);
    assert_eq!(read(&service, B).await, "2,22");
    // All SQL of a version that is finished brings v1 back, without keys.
    finish(&mut operator).await.expect("finished");
    for migration in migrations() {
        operator.batch_execute(migration.up).await.expect(migration.name);
    }
    assert_eq!(read(&service, A).await, "1,11");
    assert_eq!(outcome(&service, &enter).await, "ERROR 42501", "the database has no key of v1");
    assert_eq!(finish(&mut operator).await.expect("again").versions, [5]);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn migrate_mends_a_database_that_was_restored_without_roles_or_secrets() {
    let (database, mut operator) = version_4().await;
    let name = "SELECT oid::regprocedure, proacl::text, proowner::regrole FROM pg_proc \
        WHERE pronamespace = 'tenancy'::regnamespace ORDER BY 1";
    for finished in [false, true] {
        migrate(&mut operator).await.expect("version 5");
        if finished {
            finish(&mut operator).await.expect("finished");
        }
        let before = outcome(&operator, name).await;
        let missing: &[&str] = if finished { &[] } else { &["tenancy.minting", "tenancy.secrets"] };
        for table in missing {
            operator.batch_execute(&format!("DELETE FROM {table}")).await.expect("no rows");
            assert_eq!(migrate(&mut operator).await.expect("mended"), [1, 2, 3, 4, 5], "{table}");
        }
        // What a dump leaves that was restored on a server without the roles.
        operator
            .batch_execute(
                "REASSIGN OWNED BY tenancy_owner TO postgres; DROP OWNED BY tenancy_owner, tenancy_app, tenancy_shared; \
                DROP ROLE tenancy_owner, tenancy_app, tenancy_shared",
            )
            .await
            .expect("no roles");
        assert_eq!(migrate(&mut operator).await.expect("mended"), [1, 2, 3, 4, 5]);
        assert_eq!(migrate(&mut operator).await.expect("nothing"), [0; 0]);
        assert_eq!(outcome(&operator, name).await, before);
        operator.batch_execute("GRANT tenancy_app TO service").await.expect("granted");
        let service = database.client("service").await;
        assert_eq!(read(&service, A).await, "ERROR 42501", "tables have no grants");
        enable_table("orders").run(&operator).await.expect("enabled");
        for (tenant, row) in [(A, "1,11"), (B, "2,22")] {
            assert_eq!(read(&service, tenant).await, row);
            if !finished {
                work(&service, "READ COMMITTED", tenant, row).await;
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn keys_of_another_database_are_refused_with_the_command_that_helps() {
    let (database, mut operator) = version_4().await;
    migrate(&mut operator).await.expect("version 5");
    let service = database.client("service").await;
    let domains = Domains::of(&service).await;
    let hint = async || {
        service.batch_execute("BEGIN").await.expect("a transaction");
        let error = domains.enter(&service, token_of(A)).await.expect_err("a key that is not the database's");
        service.batch_execute("ROLLBACK").await.expect("it ends");
        error.as_db_error().expect("the server's").hint().unwrap_or_default().to_owned()
    };
    operator.batch_execute("DELETE FROM tenancy.keys").await.expect("no keys");
    let unknown = hint().await;
    assert!(unknown.contains("tenancy-pg migrate") && unknown.contains("tenancy-pg key add"), "{unknown}");
    add_key(&operator, &SigningKey::new(1, &[9; 32]).expect("a key")).await.expect("added");
    let other = hint().await;
    assert!(other.contains("tenancy-pg key add"), "{other}");
}
