//! The table of tenants, and the directory that caches it.

use std::convert::Infallible;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use http::{Request, Response};
use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus, tenant_id};
use tenancy_postgres::{
    Config, DirectoryConfig, DirectoryError, FindingKind, Migration, PgDirectory, TenantDb, TenantsTable,
    audit, migrate, migrations, revert,
};
use tenancy_tower::{Directory, TenantLayer};
use tokio_postgres::Client;
use tower::{Layer, ServiceExt};

use crate::support::orders::{Orders, code, enter, outcome};
use crate::support::proxy::Proxy;
use crate::support::{A, B, LIMIT, eventually, key};

const C: TenantId = tenant_id!("cccccccc-cccc-4ccc-8ccc-cccccccccccc");
const ACTIVE: Option<TenantStatus> = Some(TenantStatus::Active);
const SUSPENDED: Option<TenantStatus> = Some(TenantStatus::Suspended);

/// A maximum age that no entry reaches within a test.
const HOUR: Duration = Duration::from_secs(3600);

fn record(id: TenantId, slug: &str) -> TenantRecord {
    TenantRecord::new(id, TenantSlug::parse(slug).expect("a slug"), TenantStatus::Active)
}

/// Creates the active tenants A and B. The directory listens as the role `listener`.
async fn start() -> Orders {
    with_tenants(Orders::start().await).await
}

/// The same on a server that no other test uses.
async fn start_alone() -> Orders {
    let schema = Orders::alone().await;
    schema.operate("CREATE ROLE listener LOGIN").await;
    with_tenants(schema).await
}

async fn with_tenants(schema: Orders) -> Orders {
    TenantsTable::new(&schema.operator).create(&record(A, "a")).await.expect("created");
    TenantsTable::new(&schema.operator).create(&record(B, "b")).await.expect("created");
    schema
}

async fn db(schema: &Orders) -> TenantDb {
    let config = Config::new(schema.database.config("service"), key());
    TenantDb::connect(config.max_connections(2)).await.expect("a database")
}

async fn directory(schema: &Orders, max_age: Duration) -> PgDirectory {
    let config = DirectoryConfig::new(schema.database.config("listener")).max_age(max_age);
    let directory = PgDirectory::connect(db(schema).await, config).await.expect("a directory");
    until("it listens", async || directory.is_listening()).await;
    directory
}

/// Looks a tenant up until its status is cached.
async fn learn(directory: &PgDirectory, tenant: TenantId, status: Option<TenantStatus>) {
    until("it is kept", async || {
        assert_eq!(directory.status(tenant).await.expect("a state"), status);
        directory.status_now(tenant) == Poll::Ready(status)
    })
    .await;
}

async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually(what, LIMIT, condition).await;
}

/// Returns the process ids of the listener's backends.
async fn backends(operator: &Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'listener' AND datname = current_database()";
    operator.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_tenant_sees_its_own_record_and_writes_none() {
    let schema = start().await;
    let id = "11111111-1111-4111-8111-111111111111";
    for (sql, expected) in [
        ("SELECT id, slug, status FROM tenancy.tenants", format!("{A},a,active")),
        ("SELECT count(*) FROM tenancy.tenants WHERE slug = 'b'", "0".into()),
        (&format!("SELECT count(*) FROM tenancy.tenants WHERE id = '{B}'"), "0".into()),
        ("SELECT id FROM tenancy.tenants FOR UPDATE", String::new()),
        ("SELECT id FROM tenancy.tenants FOR KEY SHARE", String::new()),
    ] {
        assert_eq!(schema.attack(sql).await, expected, "{sql}");
    }
    let copied =
        schema.entered(A).await.copy_out("COPY tenancy.tenants (slug) TO STDOUT").await.expect("a copy");
    assert_eq!(copied.try_collect::<Vec<_>>().await.expect("rows"), ["a\n"]);
    for sql in [
        &format!("INSERT INTO tenancy.tenants (id, slug) VALUES ('{id}', 'new')"),
        // A unique violation would reveal that the slug exists.
        "INSERT INTO tenancy.tenants (id, slug) SELECT gen_random_uuid(), 'b'",
        &format!("INSERT INTO tenancy.tenants (id, slug) VALUES ('{B}', 'x') ON CONFLICT DO NOTHING"),
        &format!(
            "INSERT INTO tenancy.tenants (id, slug) VALUES ('{B}', 'b') ON CONFLICT (id) DO UPDATE SET slug = 'y'"
        ),
        "UPDATE tenancy.tenants SET status = 'active'",
        &format!("UPDATE tenancy.tenants SET status = 'suspended' WHERE id = '{B}'"),
        "UPDATE tenancy.tenants SET id = gen_random_uuid()",
        "DELETE FROM tenancy.tenants",
        "TRUNCATE tenancy.tenants",
        "LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE tenancy.tenants IN SHARE MODE",
        "ALTER TABLE tenancy.tenants DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tenancy.tenants DISABLE TRIGGER ALL",
        "DROP POLICY tenancy_isolation ON tenancy.tenants",
        "CREATE TABLE refers (id uuid REFERENCES tenancy.tenants)",
        "SELECT tenancy.tenants_notify()",
        "SET LOCAL row_security = off; SELECT * FROM tenancy.tenants",
        "SET LOCAL row_security = off; UPDATE tenancy.tenants SET status = 'suspended'",
        "RESET tenancy.context; SELECT * FROM tenancy.tenants",
    ] {
        assert_eq!(schema.attack(sql).await, "ERROR 42501", "{sql}");
    }
    let all = format!("{A},a,active;{B},b,active");
    let sql = "SELECT id, slug, status FROM tenancy.tenants ORDER BY id";
    assert_eq!(outcome(&schema.operator, sql).await, all);
    let platform = schema.entered(TenantId::PLATFORM).await;
    assert_eq!(outcome(&platform, sql).await, all);
    assert_eq!(outcome(&platform, "DELETE FROM tenancy.tenants").await, "ERROR 42501");
    let service = schema.service().await;
    for sql in [sql, "UPDATE tenancy.tenants SET status = 'deleted'", "DELETE FROM tenancy.tenants"] {
        assert_eq!(outcome(&service, sql).await, "ERROR 42501", "without a context: {sql}");
    }
}

/// The table accepts exactly the values that `TenantSlug` and `TenantId` accept.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_table_accepts_the_same_slugs_and_ids_as_the_types() {
    let schema = start().await;
    let (longest, too_long) = ("x".repeat(63), "x".repeat(64));
    let ids = [
        A.to_string(),
        A.to_string().replace('-', ""),
        A.to_string().replacen('-', "", 1),
        "0".repeat(32),
        "f".repeat(32),
        "00000000-0000-0000-0000-000000000000".into(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".into(),
        "0f".repeat(16),
        "g".repeat(32),
    ];
    let texts = [
        "a-b", "7", "0", "a--b", "-a", "a-", "-", "", "A", "a_b", "a b", "a.b", "a\n", "\na", "ä", "ß", "é",
        "ı", "a\u{301}", "x'y", "xn--ls8h", "platform", &longest, &too_long,
    ];
    let sql = "INSERT INTO tenancy.tenants (id, slug) VALUES (gen_random_uuid(), $1)";
    for text in texts.into_iter().chain(ids.iter().map(String::as_str)) {
        let taken = schema.operator.execute(sql, &[&text]).await;
        assert_eq!(taken.is_ok(), TenantSlug::parse(text).is_ok(), "{text:?}");
        if let Err(error) = taken {
            assert_eq!(code(&error), "ERROR 23514", "{text:?}");
        }
    }
    for id in ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        let sql = format!("INSERT INTO tenancy.tenants (id, slug) VALUES ('{id}', 'nobody')");
        assert_eq!(outcome(&schema.operator, &sql).await, "ERROR 23514", "{id}");
    }
    let sql = "INSERT INTO tenancy.tenants (id, slug, status) VALUES (gen_random_uuid(), 'odd', 'paused')";
    assert_eq!(outcome(&schema.operator, sql).await, "ERROR 23514");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_operator_maintains_the_table() -> Result<(), DirectoryError> {
    let schema = start().await;
    let operator = &schema.database.client("keeper").await;
    assert_eq!(TenantsTable::new(operator).get(TenantId::PLATFORM).await?, None, "nobody made it");
    assert_eq!(TenantsTable::new(operator).get(A).await?, Some(record(A, "a")));
    assert_eq!(
        TenantsTable::new(operator).by_slug(TenantSlug::parse("b").expect("a slug")).await?,
        Some(record(B, "b"))
    );
    assert_eq!(TenantsTable::new(operator).by_slug(TenantSlug::parse("c").expect("a slug")).await?, None);
    let error = TenantsTable::new(operator).create(&record(A, "other")).await.expect_err("its id");
    assert!(matches!(error, DirectoryError::IdTaken), "{error:?}");
    let error = TenantsTable::new(operator).create(&record(C, "a")).await.expect_err("its slug");
    assert!(matches!(error, DirectoryError::SlugTaken), "{error:?}");
    let error = TenantsTable::new(operator).set_status(C, TenantStatus::Active).await.expect_err("unknown");
    assert!(matches!(error, DirectoryError::NotFound(_)), "{error:?}");
    for status in
        [TenantStatus::Suspended, TenantStatus::Active, TenantStatus::Deleted, TenantStatus::Deleted]
    {
        TenantsTable::new(operator).set_status(B, status).await?;
        assert_eq!(TenantsTable::new(operator).get(B).await?, Some(record(B, "b").with_status(status)));
    }
    let error = TenantsTable::new(operator).set_status(B, TenantStatus::Active).await.expect_err("deleted");
    assert!(matches!(error, DirectoryError::Deleted), "{error:?}");
    let error =
        TenantsTable::new(operator).create(&record(B, "again")).await.expect_err("its id is never another's");
    assert!(matches!(error, DirectoryError::IdTaken), "{error:?}");
    let sql = format!("UPDATE tenancy.tenants SET id = '{C}' WHERE id = '{A}'");
    assert_eq!(outcome(operator, &sql).await, "ERROR 23514", "an id stays");
    let sql = "SELECT changed_at > created_at FROM tenancy.tenants ORDER BY id";
    assert_eq!(outcome(operator, sql).await, "f;t");
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn pages_contain_each_tenant_once() -> Result<(), DirectoryError> {
    let schema = start().await;
    schema
        .operate(
            "INSERT INTO tenancy.tenants (id, slug) SELECT gen_random_uuid(), 't' || n FROM generate_series(1, 98) n",
        )
        .await;
    let directory = directory(&schema, HOUR).await;
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let page = TenantsTable::new(&schema.operator).list(last, 7).await?;
        assert_eq!(directory.tenants().list(last, 7).await?, page, "a service has the same");
        last = page.last().map(TenantRecord::id);
        all.extend(page.iter().map(TenantRecord::id));
        if last.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by(|one, other| one < other), "as ids are ordered");
    assert_eq!(directory.tenants().list(None, 0).await?, []);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_service_maintains_the_table_and_reads_its_own_writes() -> Result<(), DirectoryError> {
    let schema = start().await;
    let directory = directory(&schema, HOUR).await;
    learn(&directory, C, None).await;
    directory.tenants().create(&record(C, "c")).await?;
    assert_eq!(directory.status(C).await?, ACTIVE, "not that it is unknown");
    learn(&directory, C, ACTIVE).await;
    directory.tenants().set_status(C, TenantStatus::Suspended).await?;
    assert_eq!(directory.status(C).await?, SUSPENDED);
    assert_eq!(directory.tenants().get(C).await?, Some(record(C, "c").with_status(TenantStatus::Suspended)));
    assert_eq!(
        directory.tenants().by_slug(TenantSlug::parse("a").expect("a slug")).await?,
        Some(record(A, "a"))
    );
    let error = directory.tenants().create(&record(C, "d")).await.expect_err("its id");
    assert!(matches!(error, DirectoryError::IdTaken), "{error:?}");
    let error = directory.tenants().create(&record(TenantId::PLATFORM, "c")).await.expect_err("its slug");
    assert!(matches!(error, DirectoryError::SlugTaken), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("(slug)"), "{error:?}");
    let error =
        directory.tenants().set_status(TenantId::PLATFORM, TenantStatus::Active).await.expect_err("unknown");
    assert!(matches!(error, DirectoryError::NotFound(_)), "{error:?}");
    directory.tenants().set_status(C, TenantStatus::Deleted).await?;
    let error = directory.tenants().set_status(C, TenantStatus::Active).await.expect_err("deleted");
    assert!(matches!(error, DirectoryError::Deleted), "{error:?}");
    assert_eq!(directory.status(C).await?, Some(TenantStatus::Deleted));
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn learns_of_a_suspension_by_another_program() {
    let schema = start().await;
    let directory = directory(&schema, HOUR).await;
    learn(&directory, A, ACTIVE).await;
    learn(&directory, B, ACTIVE).await;
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    until("it is heard of", async || directory.status(A).await.expect("a state") == SUSPENDED).await;
    assert_eq!(directory.status_now(B), Poll::Ready(ACTIVE), "it is nobody else's");
    learn(&directory, C, None).await;
    TenantsTable::new(&schema.operator).create(&record(C, "c")).await.expect("created");
    until("so is a new tenant", async || directory.status(C).await.expect("a state") == ACTIVE).await;
    learn(&directory, B, ACTIVE).await;
    schema.operate("TRUNCATE tenancy.tenants").await;
    until("so is that all are gone", async || directory.status(B).await.expect("a state").is_none()).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_forged_notification_changes_no_answer() {
    let schema = start().await;
    TenantsTable::new(&schema.operator).set_status(B, TenantStatus::Suspended).await.expect("suspended");
    let directory = directory(&schema, HOUR).await;
    let service = schema.service().await;
    for payload in [A.to_string(), B.to_string(), format!("{B},active"), String::new(), "x".repeat(7_000)] {
        learn(&directory, A, ACTIVE).await;
        learn(&directory, B, SUSPENDED).await;
        enter(&service, A).await;
        let sql = format!("SELECT pg_notify('tenancy_tenants', '{payload}'); COMMIT");
        assert_eq!(outcome(&service, &sql).await, "");
        let is_heard = async || [A, B].iter().any(|tenant| directory.status_now(*tenant).is_pending());
        until("it is heard", is_heard).await;
        assert_eq!(directory.status(A).await.expect("a state"), ACTIVE, "{payload}");
        assert_eq!(directory.status(B).await.expect("a state"), SUSPENDED, "{payload}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn misses_no_change_while_it_cannot_listen() {
    let schema = start_alone().await;
    let directory = directory(&schema, HOUR).await;
    learn(&directory, A, ACTIVE).await;
    learn(&directory, B, ACTIVE).await;
    schema.operate("ALTER ROLE listener NOLOGIN").await;
    // Waits until the backend has ended.
    let end = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE usename = 'listener'";
    assert_eq!(outcome(&schema.operator, end).await, "t");
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    assert_eq!(directory.status(A).await.expect("a state"), SUSPENDED);
    assert!(!directory.is_listening());
    assert_eq!(directory.status_now(A), Poll::Pending, "nothing is kept");
    assert_eq!(directory.status_now(B), Poll::Pending);
    assert_eq!(directory.status(B).await.expect("a state"), ACTIVE);
    TenantsTable::new(&schema.operator).set_status(B, TenantStatus::Suspended).await.expect("suspended");
    schema.operate("ALTER ROLE listener LOGIN").await;
    until("it listens again", async || directory.is_listening()).await;
    learn(&directory, B, SUSPENDED).await;
    TenantsTable::new(&schema.operator).set_status(B, TenantStatus::Active).await.expect("resumed");
    until("and it hears again", async || directory.status(B).await.expect("a state") == ACTIVE).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn listens_again_after_a_crash_of_the_server() {
    let mut schema = start_alone().await;
    let directory = directory(&schema, HOUR).await;
    learn(&directory, A, ACTIVE).await;
    schema.database.server.crash_and_restart().expect("it starts again");
    schema.operator = schema.database.superuser().await;
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    until("it answers again", async || match directory.status(A).await {
        Ok(status) => {
            assert_eq!(status, SUSPENDED, "nothing of before");
            true
        }
        Err(error) => {
            assert!(matches!(error, DirectoryError::Database(_)), "{error:?}");
            false
        }
    })
    .await;
    until("it listens again", async || directory.is_listening()).await;
    learn(&directory, A, SUSPENDED).await;
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Active).await.expect("resumed");
    until("it hears again", async || directory.status(A).await.expect("a state") == ACTIVE).await;
}

/// Some poolers accept `LISTEN` and deliver nothing.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn entries_expire_even_without_notifications() {
    let schema = start().await;
    let directory = directory(&schema, Duration::from_secs(2)).await;
    learn(&directory, A, ACTIVE).await;
    schema.operate("ALTER TABLE tenancy.tenants DISABLE TRIGGER tenants_notify").await;
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    until("it is asked for again", async || directory.status(A).await.expect("a state") == SUSPENDED).await;
    assert!(directory.is_listening());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn replaces_a_listener_whose_server_does_not_answer() {
    let schema = start_alone().await;
    let directory = directory(&schema, HOUR).await;
    learn(&directory, A, ACTIVE).await;
    let pid = backends(&schema.operator).await[0];
    signal("STOP", pid);
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    until("it is noticed", async || !directory.is_listening()).await;
    assert_eq!(directory.status(A).await.expect("a state"), SUSPENDED);
    until("another backend is listened to", async || directory.is_listening()).await;
    signal("CONT", pid);
    learn(&directory, A, SUSPENDED).await;
}

fn signal(signal: &str, pid: i32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.expect("kill is there").success());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_connection_ends_with_the_last_clone() {
    let schema = start().await;
    let directory = directory(&schema, HOUR).await;
    let clone = directory.clone();
    learn(&directory, A, ACTIVE).await;
    assert_eq!(clone.status_now(A), Poll::Ready(ACTIVE), "they share what they keep");
    drop(directory);
    TenantsTable::new(&schema.operator).set_status(A, TenantStatus::Suspended).await.expect("suspended");
    until("it is heard of", async || clone.status(A).await.expect("a state") == SUSPENDED).await;
    assert_eq!(backends(&schema.operator).await.len(), 1);
    drop(clone);
    until("it ends", async || backends(&schema.operator).await.is_empty()).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_lookup_takes_one_round_trip() {
    let schema = start().await;
    let proxy = Proxy::start(&schema.database);
    let db = TenantDb::connect(Config::new(proxy.config("service"), key()).max_connections(1)).await;
    let listener = schema.database.config("listener");
    let directory = PgDirectory::connect(db.expect("a database"), listener).await.expect("a directory");
    proxy.take_trips();
    assert_eq!(directory.status(A).await.expect("a state"), ACTIVE);
    assert_eq!(directory.tenants().get(B).await.expect("a record"), Some(record(B, "b")));
    assert_eq!(proxy.take_trips(), 2);
    learn(&directory, A, ACTIVE).await;
    proxy.take_trips();
    assert_eq!(directory.status(A).await.expect("a state"), ACTIVE);
    assert_eq!(proxy.take_trips(), 0, "what is kept is not asked for");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn connect_fails_if_role_or_table_is_missing() {
    let mut schema = start().await;
    let listener = schema.database.config("nobody");
    let error = PgDirectory::connect(db(&schema).await, listener).await.expect_err("no such role");
    assert!(matches!(error, DirectoryError::Database(_)), "{error:?}");
    revert(&mut schema.operator, 2).await.expect("reverted");
    let listener = schema.database.config("listener");
    let error = PgDirectory::connect(db(&schema).await, listener).await.expect_err("no table");
    assert!(error.to_string().contains("42P01"), "{error}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_middleware_answers_by_the_tenant_status() {
    let schema = start().await;
    TenantsTable::new(&schema.operator).create(&record(C, "c")).await.expect("created");
    TenantsTable::new(&schema.operator).set_status(B, TenantStatus::Suspended).await.expect("suspended");
    TenantsTable::new(&schema.operator).set_status(C, TenantStatus::Deleted).await.expect("deleted");
    // It connects after these changes, so that their notifications do not invalidate its cache later.
    let directory = directory(&schema, HOUR).await;
    let layer = TenantLayer::builder().directory(directory.clone()).trust_header().build();
    // The first lookup asks the database, the second one the cache.
    for _ in 0..2 {
        for (tenant, expected) in [(A, 200), (B, 403), (C, 404), (TenantId::PLATFORM, 404)] {
            let service = tower::service_fn(|_| async { Ok::<_, Infallible>(Response::new(String::new())) });
            let request = Request::get("/").header("X-Tenant-ID", tenant.to_string()).body(String::new());
            let response = layer.layer(service).oneshot(request.expect("a request")).await;
            assert_eq!(response.expect("an answer").status().as_u16(), expected, "{tenant}");
        }
    }
    assert_eq!(directory.status_now(B), Poll::Ready(SUSPENDED));
    let shown = format!("{directory:?}");
    assert!(shown.contains("len: 4") && !shown.contains("aaaa"), "{shown}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_migration_is_idempotent_and_reversible() {
    let mut schema = start_alone().await;
    let made = "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass('tenancy.tenants') \
        UNION ALL SELECT polname FROM pg_policy WHERE polrelid = to_regclass('tenancy.tenants') \
        UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'tenant%' AND pronamespace = to_regnamespace('tenancy') \
        UNION ALL SELECT relacl::text FROM pg_class WHERE oid = to_regclass('tenancy.tenants') ORDER BY 1";
    let before = outcome(&schema.operator, made).await;
    let up = migration().up;
    schema.operate(&format!("GRANT ALL ON tenancy.tenants TO tenancy_app, PUBLIC; {up}")).await;
    assert_eq!(outcome(&schema.operator, made).await, before, "and its grants are as they were");
    assert_eq!(
        TenantsTable::new(&schema.operator).get(A).await.expect("a record"),
        Some(record(A, "a")),
        "it keeps the tenants"
    );
    assert_eq!(revert(&mut schema.operator, 2).await.expect("reverted"), [5, 4, 3]);
    assert_eq!(outcome(&schema.operator, made).await, "tenant_id", "a function of migration 1");
    assert_eq!(migrate(&mut schema.operator).await.expect("again"), [3, 4, 5]);
    assert_eq!(outcome(&schema.operator, made).await, before);
    schema.operate("DROP TABLE orders").await;
    assert_eq!(revert(&mut schema.operator, 0).await.expect("all"), [5, 4, 3, 2, 1]);
    assert_eq!(migrate(&mut schema.operator).await.expect("anew"), [1, 2, 3, 4, 5]);
    assert_eq!(outcome(&schema.operator, made).await, before);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_altered_table_is_a_critical_finding() {
    let schema = start().await;
    let up = migration().up;
    assert_eq!(altered(&schema).await, [""; 0]);
    for plant in [
        "ALTER TABLE tenancy.tenants DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenancy_isolation ON tenancy.tenants",
        "DROP POLICY tenancy_writing ON tenancy.tenants",
        "ALTER POLICY tenancy_isolation ON tenancy.tenants USING (true)",
        "ALTER POLICY tenancy_isolation ON tenancy.tenants WITH CHECK (true)",
        "ALTER POLICY tenancy_isolation ON tenancy.tenants TO tenancy_owner",
        "ALTER POLICY tenancy_writing ON tenancy.tenants USING (true)",
        "ALTER POLICY tenancy_access ON tenancy.tenants USING (id = gen_random_uuid())",
        "GRANT UPDATE ON tenancy.tenants TO tenancy_app",
        "GRANT INSERT ON tenancy.tenants TO tenancy_app",
        "GRANT DELETE ON tenancy.tenants TO PUBLIC",
        "GRANT TRUNCATE ON tenancy.tenants TO PUBLIC",
        "GRANT TRIGGER ON tenancy.tenants TO tenancy_app",
        "GRANT REFERENCES (id) ON tenancy.tenants TO tenancy_app",
        "GRANT UPDATE (id) ON tenancy.tenants TO tenancy_app",
        "DROP TRIGGER tenants_notify ON tenancy.tenants",
        "DROP TRIGGER tenant_changed ON tenancy.tenants",
        "CREATE OR REPLACE TRIGGER tenants_notify AFTER INSERT ON tenancy.tenants \
            FOR EACH ROW EXECUTE FUNCTION tenancy.tenants_notify()",
        "ALTER TABLE tenancy.tenants OWNER TO CURRENT_USER",
    ] {
        schema.operate(plant).await;
        assert_eq!(altered(&schema).await, ["ContextAltered tenancy.tenants"], "{plant}");
        schema.operate(up).await;
        // REVOKE ALL on the table also revokes grants on columns.
        assert_eq!(altered(&schema).await, [""; 0], "{plant}");
    }
    for off in ["tenants_written", "tenant_changed", "tenants_notify", "tenants_emptied"] {
        schema.operate(&format!("ALTER TABLE tenancy.tenants DISABLE TRIGGER {off}")).await;
        assert_eq!(altered(&schema).await, ["ContextAltered tenancy.tenants"], "{off}");
        schema.operate(&format!("ALTER TABLE tenancy.tenants ENABLE TRIGGER {off}")).await;
    }
    schema.operate("GRANT EXECUTE ON FUNCTION tenancy.tenants_notify() TO tenancy_app").await;
    assert_eq!(altered(&schema).await, ["ContextAltered tenancy.tenants_notify"]);
}

/// Returns the migration that creates the table of tenants.
fn migration() -> Migration {
    *migrations().iter().find(|migration| migration.name == "tenants").expect("a migration")
}

/// Returns the findings about the schema `tenancy`.
async fn altered(schema: &Orders) -> Vec<String> {
    let findings = audit(&mut schema.service().await).await.expect("findings");
    let of_schema = findings.iter().filter(|finding| {
        matches!(finding.kind, FindingKind::ContextAltered | FindingKind::KeysGranted)
            || finding.object.contains("tenancy.")
    });
    of_schema.map(|finding| format!("{:?} {}", finding.kind, finding.object)).collect()
}
