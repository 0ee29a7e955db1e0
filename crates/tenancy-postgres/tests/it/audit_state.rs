//! State of a session that no scrub resets: interpreters of languages, and connections and switches of extensions.

use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{AuditPolicy, Finding, FindingKind, Severity, TenantDb, TenantTx, audit_with};

use crate::audit::{found, refused, short};
use crate::support::notes::config;
use crate::support::orders::Orders;
use crate::support::{A, B};

/// Connects with one session, which all tenants share.
async fn session(schema: &Orders) -> TenantDb {
    TenantDb::connect(config(&schema.database).max_connections(1)).await.expect("a database")
}

/// Runs a statement in a transaction of the tenant, commits it, and returns the text of its first row.
async fn ask(db: &TenantDb, tenant: TenantId, sql: &str) -> Option<String> {
    let query = async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await;
    let rows = db.tx_in(tenant, query).await.expect(sql);
    rows.first().map(|row| row.get(0))
}

/// Runs a statement without rows in a transaction of the tenant, and commits it.
async fn run(db: &TenantDb, tenant: TenantId, sql: &str) {
    db.tx_in(tenant, async |tx: &TenantTx<'_>| tx.execute(sql, &[]).await).await.expect(sql);
}

async fn state(schema: &mut Orders, policy: &AuditPolicy) -> Vec<Finding> {
    let findings = audit_with(&mut schema.operator, Some("service"), policy).await.expect("findings");
    findings.into_iter().filter(|finding| finding.kind == FindingKind::SessionState).collect()
}

/// Runs the SQL of all findings about state, and checks that none is left and that `connect` accepts the database.
async fn mend(schema: &mut Orders) {
    for finding in state(schema, &AuditPolicy::new()).await {
        assert!(!finding.sql.is_empty(), "{finding}");
        for sql in &finding.sql {
            schema.operate(sql).await;
        }
    }
    assert_eq!(state(schema, &AuditPolicy::new()).await, []);
    assert_eq!(refused(schema).await, Vec::<String>::new());
}

/// The service's own function, in a language that the service can use.
const PERL: &str = "CREATE EXTENSION plperl; \
    CREATE FUNCTION total() RETURNS text LANGUAGE plperl AS \
    $$return spi_exec_query('SELECT sum(amount) AS sum FROM orders')->{rows}[0]{sum}$$";

/// SQL of A that replaces what the service's function calls, and notes what the replaced function returned.
const REPLACE: &str = r#"DO LANGUAGE plperl $$
    no strict 'refs';
    no warnings;
    my $real = \&main::spi_exec_query;
    *{"main::spi_exec_query"} = sub { my $r = $real->(@_); $_SHARED{seen} .= " $r->{rows}[0]{sum}"; return $r };
$$"#;

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_replaced_perl_function_reads_another_tenants_rows() {
    let mut schema = Orders::start().await;
    let db = session(&schema).await;
    let before = found(&schema).await;
    schema.operate(PERL).await;
    run(&db, A, REPLACE).await;
    assert_eq!(ask(&db, B, "SELECT total()").await.as_deref(), Some("22"));
    let steal =
        "DO LANGUAGE plperl $$spi_exec_query(\"SELECT set_config('a.seen', '$_SHARED{seen}', true)\")$$";
    let stolen = db
        .tx_in(A, async |tx: &TenantTx<'_>| {
            tx.execute(steal, &[]).await?;
            tx.query_unverified("SELECT current_setting('a.seen')", &[]).await
        })
        .await
        .expect("a text");
    assert!(stolen[0].get::<_, String>(0).contains("22"), "A reads what B's call returned");

    let expected = ["!SessionState LANGUAGE plperl", "!SessionState public.total()"];
    let mut new = found(&schema).await;
    new.retain(|finding| !before.contains(finding));
    assert_eq!(new, expected);
    assert_eq!(refused(&schema).await, expected);

    // Without the language a tenant can still call the function, which shares the interpreter.
    schema.operate("REVOKE USAGE ON LANGUAGE plperl FROM PUBLIC").await;
    assert_eq!(refused(&schema).await, expected[1..]);
    mend(&mut schema).await;
    assert_eq!(schema.attack(REPLACE).await, "ERROR 42501");
    assert_eq!(schema.attack("SELECT total()").await, "ERROR 42501");
}

/// What an interpreter keeps cannot be reset. So a session that ran raw SQL is closed if the state was accepted.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_accepted_interpreter_closes_sessions_that_ran_raw_sql() {
    let mut schema = Orders::start().await;
    schema.operate(PERL).await;
    let policy =
        state(&mut schema, &AuditPolicy::new()).await.iter().fold(AuditPolicy::new(), |policy, finding| {
            policy.accept(finding.kind, finding.object.clone(), "a report needs Perl")
        });
    let config = config(&schema.database).max_connections(1).audit_policy(policy);
    let db = TenantDb::connect(config).await.expect("an accepted database");
    let keep = "DO LANGUAGE plperl $$$_SHARED{kept} = 'of A'$$";
    let look =
        "DO LANGUAGE plperl $$spi_exec_query(\"SELECT set_config('a.kept', '$_SHARED{kept}', true)\")$$";
    let process = "SELECT pg_backend_pid()::text";
    let tx = db.begin_in(A).await.expect("a transaction");
    tx.execute(keep, &[]).await.expect("state in the interpreter");
    let first: String = tx.query_unverified(process, &[]).await.expect("a process")[0].get(0);
    tx.commit().await.expect("a commit");
    let tx = db.begin_in(B).await.expect("a transaction");
    tx.execute(look, &[]).await.expect("a look");
    let kept = "SELECT current_setting('a.kept')";
    assert_eq!(tx.query_unverified(kept, &[]).await.expect("a text")[0].get::<_, String>(0), "");
    let second: String = tx.query_unverified(process, &[]).await.expect("a process")[0].get(0);
    assert_ne!(first, second, "the session was pooled");
    tx.commit().await.expect("a commit");
    // A statement in a transaction of its own closes its session too.
    db.execute(keep, &[]).in_tenant(A).await.expect("state in the interpreter");
    let tx = db.begin_in(B).await.expect("a transaction");
    tx.execute(look, &[]).await.expect("a look");
    assert_eq!(tx.query_unverified(kept, &[]).await.expect("a text")[0].get::<_, String>(0), "");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn functions_in_such_a_language_are_found_behind_triggers() {
    let mut schema = Orders::start().await;
    schema
        .operate(
            "CREATE EXTENSION plperl; REVOKE USAGE ON LANGUAGE plperl FROM PUBLIC; \
            CREATE FUNCTION noted() RETURNS trigger LANGUAGE plperl AS $$$_SHARED{last} = $_TD->{new}{id}; return$$; \
            REVOKE ALL ON FUNCTION noted() FROM PUBLIC; \
            CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted()",
        )
        .await;
    let [finding] = &state(&mut schema, &AuditPolicy::new()).await[..] else { panic!("one finding") };
    assert_eq!(short(finding), "!SessionState public.noted()");
    assert_eq!(finding.through.as_deref(), Some("TRIGGER noted ON public.orders"));
    assert!(finding.sql.is_empty(), "a person decides: {finding}");
    schema.operate("ALTER TABLE orders DISABLE TRIGGER noted").await;
    assert_eq!(state(&mut schema, &AuditPolicy::new()).await, []);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_dblink_connection_of_one_tenant_stays_open_for_another() {
    let mut schema = Orders::start().await;
    let db = session(&schema).await;
    let before = found(&schema).await;
    schema
        .operate("CREATE EXTENSION dblink; GRANT EXECUTE ON FUNCTION dblink_connect_u(text, text) TO service")
        .await;
    let target =
        format!("host={} user=service dbname={}", schema.database.folder().display(), schema.database.name);
    ask(&db, A, &format!("SELECT dblink_connect_u('kept', '{target}')")).await;
    ask(&db, A, "SELECT dblink_exec('kept', $$SET a.secret = 'of A'$$)").await;
    let read =
        "SELECT secret FROM dblink('kept', $$SELECT current_setting('a.secret')$$) AS kept (secret text)";
    assert_eq!(ask(&db, B, read).await.as_deref(), Some("of A"), "B reads it");

    let mut new = found(&schema).await;
    new.retain(|finding| !before.contains(finding));
    let definer = "SecurityDefiner public.dblink_connect_u(text,text)";
    assert_eq!(new, ["!SessionState EXTENSION dblink", definer]);
    assert_eq!(refused(&schema).await, ["!SessionState EXTENSION dblink"]);
    mend(&mut schema).await;
    assert_eq!(schema.attack(read).await, "ERROR 42501");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_switch_of_an_extension_stays_for_the_next_tenant() {
    let mut schema = Orders::start().await;
    let db = session(&schema).await;
    schema.operate("CREATE EXTENSION isn; CREATE EXTENSION postgres_fdw").await;
    ask(&db, A, "SELECT isn_weak(true)::text").await;
    assert_eq!(
        ask(&db, B, "SELECT isn_weak()::text").await.as_deref(),
        Some("true"),
        "A changed how B's numbers are read"
    );
    let objects = ["!SessionState EXTENSION isn", "!SessionState EXTENSION postgres_fdw"];
    assert_eq!(refused(&schema).await, objects);
    mend(&mut schema).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_operator_adds_extensions_and_accepts_findings() {
    let mut schema = Orders::start().await;
    schema.operate(PERL).await;
    schema.operate("CREATE EXTENSION pg_trgm").await;
    let policy = AuditPolicy::new()
        .accept(FindingKind::SessionState, "LANGUAGE plperl", "reports")
        .accept(FindingKind::SessionState, "public.total()", "reports")
        .stateful_extension("pg_trgm");
    let findings = state(&mut schema, &policy).await;
    let shown: Vec<_> =
        findings.iter().map(|f| (f.severity, f.object.as_str(), f.accepted.as_deref())).collect();
    assert_eq!(
        shown,
        [
            (Severity::Critical, "EXTENSION pg_trgm", None),
            (Severity::Accepted, "LANGUAGE plperl", Some("reports")),
            (Severity::Accepted, "public.total()", Some("reports")),
        ]
    );
    assert!(findings[1].to_string().ends_with("; reason: reports"), "{}", findings[1]);
    for sql in &findings[0].sql {
        schema.operate(sql).await;
    }
    let policy = policy.accept(FindingKind::View, "public.gone", "was needed");
    let all = audit_with(&mut schema.operator, Some("service"), &policy).await.expect("findings");
    assert!(!all.iter().any(|finding| finding.severity == Severity::Critical), "{all:#?}");
    let unused: Vec<_> = all.iter().filter(|f| f.kind == FindingKind::AcceptanceUnused).map(short).collect();
    assert_eq!(unused, ["AcceptanceUnused View:public.gone"]);
    // Without a policy the database is refused.
    assert_eq!(refused(&schema).await, ["!SessionState LANGUAGE plperl", "!SessionState public.total()"]);
}
