//! The audit finds planted leaks.

use tenancy_postgres::{Config, Error, Finding, FindingKind, Severity, TenantDb, audit, audit_role};

use crate::support::key;
use crate::support::orders::{Orders, code};

/// A kind of finding, SQL that plants a leak, SQL that removes it, and the new findings.
pub(crate) type Plant = (FindingKind, &'static str, &'static str, &'static [&'static str]);

/// Returns the severity, the kind and the object of a finding.
pub(crate) fn short(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Critical { "!" } else { "" };
    format!("{severity}{:?} {}", finding.kind, finding.object)
}

/// Returns the findings for the service.
pub(crate) async fn found(schema: &Orders) -> Vec<String> {
    let findings = audit(&mut schema.service().await).await.expect("findings");
    for finding in &findings {
        assert!(!finding.remedy.contains("{}"), "{finding}");
    }
    findings.iter().map(short).collect()
}

/// Returns the findings for which a connection of the service is rejected.
pub(crate) async fn refused(schema: &Orders) -> Vec<String> {
    match TenantDb::connect(Config::new(schema.database.config("service"), key())).await {
        Ok(_) => Vec::new(),
        Err(Error::Leaks(findings)) => findings.iter().map(short).collect(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Plants each leak, and checks that the audit finds exactly it, that `connect` refuses the database if it is
/// critical, and that no finding is left without it.
pub(crate) async fn each_is_found(schema: &Orders, plants: &[Plant]) {
    let before = found(schema).await;
    for (kind, plant, undo, expected) in plants {
        schema.operate(plant).await;
        let with = found(schema).await;
        let new: Vec<_> = with.iter().filter(|finding| !before.contains(finding)).collect();
        assert_eq!(new, expected.iter().collect::<Vec<_>>(), "{plant}");
        assert!(new.iter().any(|finding| finding.contains(&format!("{kind:?} "))), "{kind:?}");
        let critical: Vec<_> = with.iter().filter(|finding| finding.starts_with('!')).cloned().collect();
        assert_eq!(refused(schema).await, critical, "{plant}");
        schema.operate(undo).await;
        assert_eq!(found(schema).await, before, "{undo}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_enabled_table_has_no_critical_finding() {
    let mut schema = Orders::start().await;
    let expected = [
        "UniqueWithoutTenant public.orders_pkey ON public.orders",
        &format!("TempGranted {}", schema.database.name),
        "LargeObjects lo_creat(integer)",
        "LargeObjects lo_create(oid)",
        "LargeObjects lo_from_bytea(oid,bytea)",
        "ActivityVisible service",
    ];
    // The newest releases that the list knows. Version 14 gets no fixes any more.
    let vulnerable = "SELECT n < 150000 OR n BETWEEN 150000 AND 150019 OR n BETWEEN 160000 AND 160015 \
        OR n BETWEEN 170000 AND 170011 OR n BETWEEN 180000 AND 180006 \
        FROM (SELECT current_setting('server_version_num')::int) v (n)";
    let vulnerable: bool = schema.operator.query_one(vulnerable, &[]).await.expect("a version").get(0);
    let mut found = found(&schema).await;
    assert_eq!(found.iter().any(|finding| finding.contains("ServerVersion")), vulnerable);
    found.retain(|finding| !finding.contains("ServerVersion") && !finding.contains("VulnerabilityListOld"));
    assert_eq!(found, expected);
    let other = audit_role(&mut schema.operator, "service").await.expect("findings");
    let own = audit(&mut schema.service().await).await.expect("findings");
    assert_eq!(other, own, "an operator finds the same of it");
    assert_eq!(code(&audit_role(&mut schema.operator, "Nobody\"").await.expect_err("none")), "ERROR 42704");
    let db = TenantDb::connect(Config::new(schema.database.config("service"), key())).await.expect("a db");
    assert_eq!(db.audit().await.expect("findings"), own);
    schema.operate("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY").await;
    assert_eq!(short(&db.audit().await.expect("findings")[0]), "!RlsNotForced public.orders");
    schema.operate("ALTER TABLE orders FORCE ROW LEVEL SECURITY").await;
    // A hostile search path changes nothing.
    let mut service = schema.service().await;
    service
        .batch_execute("CREATE TEMP TABLE pg_class (oid oid); SET search_path = pg_temp, tenancy")
        .await
        .expect("set");
    assert_eq!(audit(&mut service).await.expect("findings"), own);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_leaks_of_roles() {
    let schema = Orders::alone().await;
    schema.operate("CREATE ROLE mid; CREATE ROLE strong; GRANT strong TO mid; GRANT mid TO service").await;
    each_is_found(
        &schema,
        &[
            (
                FindingKind::BypassRls,
                "ALTER ROLE service BYPASSRLS",
                "ALTER ROLE service NOBYPASSRLS",
                &["!BypassRls service"],
            ),
            (
                FindingKind::BypassRls,
                "ALTER ROLE strong BYPASSRLS",
                "ALTER ROLE strong NOBYPASSRLS",
                &["!BypassRls strong"],
            ),
            (
                FindingKind::PowerfulRole,
                "ALTER ROLE strong REPLICATION",
                "ALTER ROLE strong NOREPLICATION",
                &["!PowerfulRole strong"],
            ),
            (
                FindingKind::PowerfulRole,
                "GRANT pg_read_server_files TO mid",
                "REVOKE pg_read_server_files FROM mid",
                &["!PowerfulRole pg_read_server_files"],
            ),
            (
                FindingKind::RoleSettings,
                "ALTER ROLE service SET search_path = evil",
                "ALTER ROLE service RESET ALL",
                &["RoleSettings service"],
            ),
        ],
    )
    .await;
    schema.operate("ALTER ROLE strong SUPERUSER").await;
    assert_eq!(found(&schema).await[0], "!Superuser strong");
    schema.operate("ALTER ROLE strong NOSUPERUSER; GRANT tenancy_owner TO service").await;
    let found = found(&schema).await;
    assert!(found.contains(&"!Owner SCHEMA tenancy".to_owned()), "{found:?}");
    assert!(found.contains(&"!KeysGranted tenancy.minting".to_owned()), "{found:?}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_leaks_of_the_schema() {
    let schema = Orders::alone().await;
    each_is_found(
        &schema,
        &[
            (
                FindingKind::KeysGranted,
                "GRANT SELECT (id) ON tenancy.keys TO tenancy_app",
                "REVOKE SELECT (id) ON tenancy.keys FROM tenancy_app",
                &["!KeysGranted tenancy.keys"],
            ),
            (
                FindingKind::ContextAltered,
                "GRANT EXECUTE ON FUNCTION tenancy.add_key TO PUBLIC",
                "REVOKE EXECUTE ON FUNCTION tenancy.add_key FROM PUBLIC",
                &["!ContextAltered tenancy.add_key"],
            ),
            (
                FindingKind::ContextAltered,
                "ALTER FUNCTION tenancy.tenant_id() SECURITY INVOKER",
                "ALTER FUNCTION tenancy.tenant_id() SECURITY DEFINER",
                &["!ContextAltered tenancy.tenant_id"],
            ),
            (
                FindingKind::ContextAltered,
                "CREATE FUNCTION tenancy.back_door() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
                ALTER FUNCTION tenancy.back_door() OWNER TO tenancy_owner; \
                REVOKE ALL ON FUNCTION tenancy.back_door() FROM PUBLIC",
                "DROP FUNCTION tenancy.back_door()",
                &["!ContextAltered tenancy.back_door"],
            ),
            (
                FindingKind::CreateGranted,
                "GRANT CREATE ON SCHEMA tenancy TO tenancy_app",
                "REVOKE CREATE ON SCHEMA tenancy FROM tenancy_app",
                &["!CreateGranted SCHEMA tenancy"],
            ),
            (
                FindingKind::CreateGranted,
                "GRANT CREATE ON DATABASE postgres TO PUBLIC; GRANT CREATE ON SCHEMA public TO service",
                "REVOKE CREATE ON DATABASE postgres FROM PUBLIC; REVOKE CREATE ON SCHEMA public FROM service",
                &["!CreateGranted DATABASE postgres", "!CreateGranted SCHEMA public"],
            ),
        ],
    )
    .await;
    let body = schema
        .operator
        .query_one("SELECT pg_get_functiondef('tenancy.tenant_id'::regproc)", &[])
        .await
        .expect("a function")
        .get::<_, String>(0);
    let altered = body.replace("THEN presented OPERATOR(pg_catalog.=) mac END", "THEN true END");
    assert_ne!(altered, body);
    schema.operate(&altered).await;
    assert_eq!(found(&schema).await[0], "!ContextAltered tenancy.tenant_id");
    schema.operate(&body).await;
    assert!(!found(&schema).await[0].starts_with('!'));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_leaks_of_tables() {
    let schema = Orders::start().await;
    let enable = "DROP POLICY IF EXISTS open ON orders; SELECT tenancy.enable_table('orders')";
    let altered: &[&str] = &["!PolicyAltered public.orders"];
    each_is_found(
        &schema,
        &[
            (
                FindingKind::Owner,
                "ALTER TABLE orders OWNER TO service",
                "ALTER TABLE orders OWNER TO postgres",
                &["!Owner public.orders", "!TruncateGranted public.orders", "ExcessGrant public.orders"],
            ),
            (
                FindingKind::RlsDisabled,
                "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
                enable,
                &["!RlsDisabled public.orders"],
            ),
            (
                FindingKind::RlsNotForced,
                "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
                enable,
                &["!RlsNotForced public.orders"],
            ),
            (FindingKind::PolicyAltered, "DROP POLICY tenancy_isolation ON orders", enable, altered),
            (
                FindingKind::PolicyAltered,
                "ALTER POLICY tenancy_isolation ON orders WITH CHECK (true)",
                enable,
                altered,
            ),
            (
                FindingKind::PolicyAltered,
                "ALTER POLICY tenancy_isolation ON orders TO service",
                enable,
                altered,
            ),
            (
                FindingKind::PolicyAltered,
                "ALTER POLICY tenancy_isolation ON orders \
                USING (tenant_id = (SELECT tenancy.tenant_id()) OR amount = 0)",
                enable,
                altered,
            ),
            (
                FindingKind::PolicyAltered,
                "DROP POLICY tenancy_isolation ON orders; CREATE POLICY tenancy_isolation ON orders \
                USING (tenant_id = (SELECT tenancy.tenant_id())) \
                WITH CHECK (tenant_id = (SELECT tenancy.tenant_id()))",
                enable,
                altered,
            ),
            (
                FindingKind::PolicyForgeable,
                "CREATE POLICY open ON orders USING (tenant_id = current_setting('app.tenant_id')::uuid)",
                enable,
                &["PolicyForgeable open ON public.orders"],
            ),
            (
                FindingKind::NullableTenantId,
                "ALTER TABLE orders ALTER tenant_id DROP NOT NULL",
                enable,
                &["NullableTenantId public.orders"],
            ),
            (
                FindingKind::DefaultMissing,
                "ALTER TABLE orders ALTER tenant_id SET DEFAULT gen_random_uuid()",
                enable,
                &["DefaultMissing public.orders"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_leaks_of_grants_keys_and_partitions() {
    let schema = Orders::start().await;
    let enable = "SELECT tenancy.enable_table('orders')";
    each_is_found(
        &schema,
        &[
            (
                FindingKind::TruncateGranted,
                "GRANT TRUNCATE ON orders TO service",
                "REVOKE TRUNCATE ON orders FROM service",
                &["!TruncateGranted public.orders"],
            ),
            (
                FindingKind::ExcessGrant,
                "GRANT TRIGGER ON orders TO PUBLIC",
                enable,
                &["ExcessGrant public.orders"],
            ),
            (
                FindingKind::NoTenantId,
                "CREATE TABLE forgotten (id int); GRANT SELECT ON forgotten TO tenancy_app",
                "DROP TABLE forgotten",
                &["!NoTenantId public.forgotten"],
            ),
            (
                FindingKind::NoTenantId,
                "CREATE TABLE shared (id int); SELECT tenancy.share_table('shared'); \
                GRANT UPDATE (id) ON shared TO PUBLIC",
                "DROP TABLE shared",
                &["!NoTenantId public.shared"],
            ),
            (
                FindingKind::UniqueWithoutTenant,
                "CREATE UNIQUE INDEX by_amount ON orders (amount) INCLUDE (tenant_id)",
                "DROP INDEX by_amount",
                &["UniqueWithoutTenant public.by_amount ON public.orders"],
            ),
            (
                FindingKind::ForeignKeyWithoutTenant,
                "CREATE TABLE lines (id bigint, CONSTRAINT hangs FOREIGN KEY (id) REFERENCES orders); \
                SELECT tenancy.enable_table('lines')",
                "DROP TABLE lines",
                &["ForeignKeyWithoutTenant hangs ON public.lines"],
            ),
            (
                FindingKind::PartitionGranted,
                "CREATE TABLE \"Parts\" (id int) PARTITION BY LIST (id); \
                CREATE TABLE \"Part\" PARTITION OF \"Parts\" DEFAULT; \
                SELECT tenancy.enable_table('\"Parts\"'); GRANT SELECT (id) ON \"Part\" TO service",
                "DROP TABLE \"Parts\"",
                &["PartitionGranted public.\"Part\""],
            ),
            (
                FindingKind::RlsDisabled,
                "CREATE TABLE parts (id int) PARTITION BY LIST (id); SELECT tenancy.enable_table('parts'); \
                CREATE TABLE part PARTITION OF parts DEFAULT",
                "DROP TABLE parts",
                &["RlsDisabled public.part"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_leaks_of_views_and_functions() {
    let schema = Orders::start().await;
    schema.operate("GRANT SELECT ON orders TO view_owner").await;
    each_is_found(
        &schema,
        &[
            (
                FindingKind::View,
                "CREATE VIEW v AS SELECT id FROM orders; GRANT SELECT ON v TO tenancy_app",
                "DROP VIEW v",
                &["!View public.v"],
            ),
            // The leak is reached through another view, whose owner does not bypass row-level security.
            (
                FindingKind::View,
                "CREATE VIEW inner_view AS SELECT id FROM orders; GRANT SELECT ON inner_view TO view_owner; \
                CREATE VIEW outer_view AS SELECT id FROM inner_view; ALTER VIEW outer_view OWNER TO view_owner; \
                GRANT SELECT ON outer_view TO service",
                "DROP VIEW outer_view, inner_view",
                &["!View public.inner_view"],
            ),
            // The table is read by an expression, and found by the dependencies of the view.
            (
                FindingKind::View,
                "CREATE VIEW v AS SELECT (SELECT count(*) FROM orders) AS n; GRANT UPDATE ON v TO service",
                "DROP VIEW v",
                &["!View public.v"],
            ),
            (
                FindingKind::SecurityDefiner,
                "CREATE FUNCTION f(int) RETURNS bigint LANGUAGE sql SECURITY DEFINER \
                AS 'SELECT id FROM public.orders'",
                "DROP FUNCTION f",
                &["!SecurityDefiner public.f(integer)"],
            ),
            (
                FindingKind::SecurityDefiner,
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
                AS 'BEGIN RETURN NEW; END'",
                "DROP FUNCTION f",
                &["!SecurityDefiner public.f()"],
            ),
            (
                FindingKind::MaterializedView,
                "CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM orders; GRANT SELECT ON m TO service",
                "DROP MATERIALIZED VIEW m",
                &["!MaterializedView public.m"],
            ),
            (
                FindingKind::MaterializedView,
                "CREATE VIEW v AS SELECT id FROM orders; CREATE MATERIALIZED VIEW m AS SELECT id FROM v; \
                CREATE VIEW w AS SELECT * FROM m; ALTER VIEW w OWNER TO view_owner; GRANT SELECT ON w TO service",
                "DROP VIEW v CASCADE",
                &["!MaterializedView public.m"],
            ),
            // The view reaches a table that is granted only to the view's owner.
            (
                FindingKind::RlsDisabled,
                "CREATE TABLE open (tenant_id uuid NOT NULL DEFAULT tenancy.tenant_id()); \
                GRANT SELECT ON open TO view_owner; CREATE VIEW v AS SELECT * FROM open; \
                ALTER VIEW v OWNER TO view_owner; GRANT SELECT ON v TO service",
                "DROP TABLE open CASCADE",
                &["!RlsDisabled public.open"],
            ),
            (
                FindingKind::ForeignTable,
                "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER far FOREIGN DATA WRAPPER none; \
                CREATE FOREIGN TABLE f (tenant_id uuid) SERVER far; GRANT SELECT ON f TO PUBLIC",
                "DROP FOREIGN DATA WRAPPER none CASCADE",
                &["!ForeignTable public.f"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn reports_no_view_or_function_that_does_not_leak() {
    let schema = Orders::start().await;
    schema.operate("GRANT SELECT ON orders TO view_owner").await;
    let before = found(&schema).await;
    schema
        .operate(
            "CREATE VIEW by_plain AS SELECT id FROM orders; ALTER VIEW by_plain OWNER TO view_owner; \
            CREATE VIEW constant AS SELECT 1 AS x; CREATE VIEW hidden AS SELECT id FROM orders; \
            CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER \
            SET search_path = pg_catalog, pg_temp AS 'SELECT 1'; \
            ALTER FUNCTION f() OWNER TO view_owner; \
            CREATE FUNCTION g() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; \
            REVOKE EXECUTE ON FUNCTION g() FROM PUBLIC; GRANT SELECT ON by_plain, constant TO tenancy_app",
        )
        .await;
    assert_eq!(found(&schema).await, before, "none of these leaks");
    let version = "SELECT current_setting('server_version_num')::int >= 150000";
    if schema.operator.query_one(version, &[]).await.expect("a version").get(0) {
        schema
            .operate(
                "CREATE VIEW v WITH (security_invoker = on) AS SELECT id FROM orders; \
                GRANT SELECT ON v TO tenancy_app",
            )
            .await;
        assert_eq!(found(&schema).await, before, "nor does a view as who asks");
        schema
            .operate("CREATE VIEW outer_view AS SELECT id FROM v; GRANT SELECT ON outer_view TO tenancy_app")
            .await;
        assert_eq!(schema.attack("SELECT id FROM outer_view").await, "1", "not even by another view");
        assert_eq!(found(&schema).await, before);
    }
}

/// Runs the remedy of each critical finding.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn each_remedy_removes_its_finding() {
    let mut schema = Orders::start().await;
    schema
        .operate(
            "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; GRANT TRUNCATE, REFERENCES ON orders TO PUBLIC; \
            DROP POLICY tenancy_isolation ON orders; ALTER TABLE orders ALTER tenant_id DROP DEFAULT",
        )
        .await;
    assert!(schema.attack("SELECT id FROM orders").await.len() > 1, "it leaks");
    let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Critical) {
        let sql = finding.remedy.split(", and from").next().expect("SQL");
        schema.operate(sql).await;
    }
    let left = found(&schema).await;
    assert!(!left.iter().any(|finding| finding.starts_with('!')), "{left:?}");
    assert!(!left.iter().any(|finding| finding.starts_with("DefaultMissing")), "{left:?}");
}
