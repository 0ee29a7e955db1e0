//! The operator's client `AdminDb`, and its log.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tenancy::{TenantRecord, TenantSlug, TenantStatus};
use tenancy_postgres::{
    AdminAccess, AdminDb, DirectoryError, Error, FindingKind, SigningKey, enable_table, migrations,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::database::{Contents, Database};
use crate::support::orders::{Orders, outcome};
use crate::support::{A, B, SECRET};

const REASON: &str = "ticket 7: it's \"quoted\"";
const LOG: &str = "SELECT login, reason, action, object FROM tenancy.admin_log ORDER BY id";

async fn admin(database: &Database, user: &str) -> AdminDb {
    let access = AdminAccess::new(REASON).expect("a reason");
    AdminDb::connect(database.config(user), access).await.expect("a connection")
}

fn record(id: tenancy::TenantId, slug: &str) -> TenantRecord {
    TenantRecord::new(id, TenantSlug::parse(slug).expect("a slug"), TenantStatus::Active)
}

/// A subscriber that records events.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("a string takes it");
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tenancy_postgres::admin"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().expect("no panic").push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn logs_each_action_as_an_event_and_a_row_with_reason_and_login() {
    let events = Events::default();
    let guard = tracing::subscriber::set_default(events.clone());
    let database = Database::alone(Contents::Nothing);
    let superuser = database.superuser().await;
    // Another thread of this process can reach the event for the first time while this subscriber is being registered,
    // which disables the event for all subscribers. The subscriber is registered now.
    tracing::callsite::rebuild_interest_cache();
    let mut admin = admin(&database, "postgres").await;
    let versions: Vec<_> = migrations().iter().map(|migration| migration.version).collect();
    assert_eq!(admin.applied_migrations().await.expect("none"), [0; 0]);
    assert_eq!(admin.migrate().await.expect("applied"), versions);
    assert_eq!(admin.applied_migrations().await.expect("all"), versions);
    let secret = "a secret that no log ever has in it";
    let [first, second] = [1, 2].map(|id| SigningKey::new(id, secret.as_bytes()).expect("a key"));
    admin.add_key(&first).await.expect("added");
    admin.rotate_key(1, &second, Duration::from_secs(3600)).await.expect("rotated");
    admin.retire_key(2, Some(SystemTime::now())).await.expect("retired");
    assert_eq!(admin.keys().await.expect("keys").len(), 2);
    superuser
        .batch_execute("CREATE TABLE orders (id int); CREATE TABLE countries (id int)")
        .await
        .expect("ok");
    admin.enable_table(enable_table("orders"), |_| ()).await.expect("enabled");
    admin.share_table("countries").await.expect("shared");
    admin.audit(Some("tenancy_app")).await.expect("findings");
    admin.audit(None).await.expect("findings");
    admin.tenants().create(&record(A, "acme")).await.expect("made");
    admin.tenants().set_status(A, TenantStatus::Suspended).await.expect("suspended");
    let suspended = record(A, "acme").with_status(TenantStatus::Suspended);
    assert_eq!(admin.tenants().get(A).await.expect("a record"), Some(suspended));
    assert_eq!(admin.tenants().by_slug(suspended.slug()).await.expect("a record"), Some(suspended));
    assert_eq!(admin.tenants().list(None, 9).await.expect("records"), [suspended]);
    assert_eq!(admin.query("SELECT $1::text", &[&"a parameter"]).await.expect("rows").len(), 1);
    admin.execute("INSERT INTO countries VALUES ($1)", &[&7]).await.expect("inserted");
    let expected = [
        ("migrate", "1 2 3 4 5"),
        ("applied_migrations", ""),
        ("add_key", "1"),
        ("rotate_key", "1 2"),
        ("retire_key", "2"),
        ("keys", ""),
        ("enable_table", "orders"),
        ("share_table", "countries"),
        ("audit", "tenancy_app"),
        ("audit", ""),
        ("create_tenant", &format!("{A} acme")),
        ("set_tenant_status", &format!("{A} suspended")),
        ("tenant", &A.to_string()),
        ("tenant_by_slug", "acme"),
        ("tenants", ""),
        ("query", "SELECT $1::text"),
        ("execute", "INSERT INTO countries VALUES ($1)"),
    ]
    .map(|(action, object)| format!("postgres,{REASON},{action},{object}"));
    let log = outcome(&superuser, LOG).await;
    assert_eq!(log.split(';').collect::<Vec<_>>(), expected);
    assert_eq!(admin.revert(3).await.expect("reverted"), [5, 4]);
    drop(guard);
    let events = events.0.lock().expect("no panic");
    // Two actions have no row: the first one, before the table exists, and the last one, which drops it.
    assert_eq!(events.len(), expected.len() + 2);
    for event in events.iter() {
        assert!(event.starts_with("INFO ") && event.contains(&format!("reason={REASON:?}")), "{event}");
    }
    let all = format!("{log} {} {admin:?}", events.join(" "));
    for word in ["a secret", "a parameter", "97, 32, 115"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_failed_action_changes_nothing_and_is_not_logged() {
    let schema = Orders::start().await;
    let mut admin = admin(&schema.database, "postgres").await;
    admin.tenants().create(&record(A, "acme")).await.expect("made");
    let before = outcome(&schema.operator, LOG).await;
    let error = admin.tenants().create(&record(B, "acme")).await.expect_err("taken");
    assert!(matches!(error, DirectoryError::SlugTaken), "{error:?}");
    let error = admin.tenants().set_status(B, TenantStatus::Deleted).await.expect_err("nobody");
    assert!(matches!(error, DirectoryError::NotFound(_)), "{error:?}");
    let other = SigningKey::new(2, &[7; 32]).expect("a key");
    let error = admin.rotate_key(99, &other, Duration::ZERO).await.expect_err("no such key");
    assert!(matches!(&error, Error::Postgres(error) if error.code() == "P0002"), "{error:?}");
    let error = admin.rotate_key(2, &other, Duration::ZERO).await.expect_err("itself");
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    admin.share_table("orders").await.expect_err("a table with tenant_id");
    admin.execute("UPDATE orders SET amount = 1 / 0", &[]).await.expect_err("no number");
    assert_eq!(outcome(&schema.operator, LOG).await, before);
    let keys: Vec<_> = admin.keys().await.expect("keys").iter().map(|key| (key.id, key.not_after)).collect();
    assert_eq!(keys, [(1, None)], "the new key was not added");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_role_that_cannot_write_the_log_can_only_audit() {
    let schema = Orders::start().await;
    for user in ["service", "reader"] {
        let mut admin = admin(&schema.database, user).await;
        let refused = |error: &Error| matches!(error, Error::Postgres(error) if error.code() == "42501");
        let error = admin.query("SELECT * FROM tenancy.tenants", &[]).await.expect_err("refused");
        assert!(refused(&error), "{user}: {error:?}");
        let error = admin.keys().await.expect_err("refused");
        assert!(refused(&error), "{user}: {error:?}");
        let error = admin.add_key(&SigningKey::new(7, SECRET).expect("a key")).await.expect_err("refused");
        assert!(refused(&error), "{user}: {error:?}");
        let findings = admin.audit(None).await.expect("findings");
        assert!(findings.iter().any(|finding| finding.kind == FindingKind::ActivityVisible), "{user}");
    }
    assert_eq!(outcome(&schema.operator, LOG).await, "");
    for sql in ["TABLE tenancy.admin_log", "DELETE FROM tenancy.admin_log"] {
        assert_eq!(outcome(&schema.service().await, sql).await, "ERROR 42501");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn reads_and_writes_across_tenants_under_an_application_name() {
    let schema = Orders::start().await;
    let mut admin = admin(&schema.database, "postgres").await;
    let name = admin.query("SELECT current_setting('application_name')", &[]).await.expect("a row");
    assert_eq!(name[0].get::<_, &str>(0), "tenancy-admin");
    let rows = admin.query("SELECT tenant_id::text FROM orders ORDER BY id", &[]).await.expect("rows");
    let tenants: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(tenants, [A.to_string(), B.to_string()]);
    assert_eq!(admin.execute("UPDATE orders SET amount = $1", &[&5]).await.expect("updated"), 2);
    let mut named = schema.database.config("postgres");
    named.application_name("mine");
    let access = AdminAccess::new("a name").expect("a reason");
    let mut admin = AdminDb::connect(named, access).await.expect("a connection");
    let name = admin.query("SELECT current_setting('application_name')", &[]).await.expect("a row");
    assert_eq!(name[0].get::<_, &str>(0), "mine");
}
