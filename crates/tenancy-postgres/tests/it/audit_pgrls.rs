//! The linter pgrls, another audit of row-level security, on an enabled database and on planted leaks.
//!
//! `cargo xtask nightly` installs it and sets `PGRLS`. Without the variable the test does nothing.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::audit::found;
use crate::support::orders::Orders;

/// SQL that plants a leak, rules of pgrls that report it, the kind of the audit, and SQL that removes it.
type Planted = (&'static str, &'static [&'static str], &'static str, &'static str);

/// What pgrls reports for each enabled table: the permissive policy `tenancy_access` lets each row pass, and pgrls does
/// not combine it with the restrictive policy `tenancy_isolation`.
const ENABLED: [&str; 5] = ["SEC003", "SEC005", "SEC008", "SEC028", "SEC038"];

const PLANTED: &[Planted] = &[
    (
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        &["SEC032"],
        "RlsDisabled",
        "SELECT tenancy.enable_table('orders')",
    ),
    (
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
        &["SEC002"],
        "RlsNotForced",
        "SELECT tenancy.enable_table('orders')",
    ),
    (
        "DROP POLICY tenancy_isolation ON orders",
        &["SEC007"],
        "PolicyAltered",
        "SELECT tenancy.enable_table('orders')",
    ),
    (
        "ALTER POLICY tenancy_isolation ON orders WITH CHECK (true)",
        &["SEC020"],
        "PolicyAltered",
        "SELECT tenancy.enable_table('orders')",
    ),
    (
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT max(id) FROM public.orders'",
        &["SEC014", "SEC015", "SEC042"],
        "SecurityDefiner",
        "DROP FUNCTION f()",
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END'; \
        CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
        &["SEC013"],
        "SecurityDefiner",
        "DROP FUNCTION f() CASCADE",
    ),
    (
        "CREATE FUNCTION f(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true'",
        &["SEC017"],
        "Leakproof",
        "DROP FUNCTION f(text)",
    ),
    (
        "CREATE VIEW v AS SELECT * FROM orders; GRANT SELECT ON v TO tenancy_app",
        &["VIEW001"],
        "View",
        "DROP VIEW v",
    ),
    (
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM orders; GRANT SELECT ON v TO tenancy_app",
        &["VIEW003"],
        "MaterializedView",
        "DROP MATERIALIZED VIEW v",
    ),
    (
        "CREATE TABLE heir () INHERITS (orders); GRANT SELECT ON heir TO tenancy_app",
        &["SEC001", "SEC043"],
        "RlsDisabled",
        "DROP TABLE heir",
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
        &["SEC044"],
        "DefaultPrivileges",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM PUBLIC",
    ),
    (
        "CREATE TABLE plain (id int); GRANT SELECT ON plain TO tenancy_app",
        &["SEC001"],
        "NoTenantId",
        "DROP TABLE plain",
    ),
    (
        "CREATE ROLE strong BYPASSRLS; GRANT strong TO service",
        &["SEC016", "SEC029"],
        "BypassRls",
        "REVOKE strong FROM service; DROP ROLE strong",
    ),
    // The audit finds these too, and pgrls does not.
    ("CREATE UNIQUE INDEX u ON orders (amount)", &[], "UniqueWithoutTenant", "DROP INDEX u"),
    (
        "CREATE TABLE hanging (id bigint REFERENCES orders); SELECT tenancy.enable_table('hanging')",
        &[],
        "ForeignKeyWithoutTenant",
        "DROP TABLE hanging",
    ),
    (
        "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far; \
        CREATE FOREIGN TABLE f (id int) SERVER away; GRANT SELECT ON f TO tenancy_app",
        &[],
        "ForeignTable",
        "DROP FOREIGN DATA WRAPPER far CASCADE",
    ),
    (
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' \
        AS 'SELECT max(id)::int FROM public.orders'; REVOKE ALL ON FUNCTION f(int) FROM PUBLIC; \
        CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = f)",
        &[],
        "SecurityDefiner",
        "DROP AGGREGATE a(int); DROP FUNCTION f(int)",
    ),
];

/// Returns the rules that pgrls reports.
fn rules(program: &str, schema: &Orders) -> BTreeSet<String> {
    let folder = schema.database.folder().display();
    let url = format!("postgresql://postgres@/{}?host={folder}", schema.database.name);
    let mut command = Command::new(program);
    let done =
        command.args(["lint", "--format", "json", "--database-url", &url]).output().expect("pgrls runs");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    });
    let violations = report["violations"].as_array().expect("violations");
    violations.iter().map(|violation| violation["rule_id"].as_str().expect("a rule").to_owned()).collect()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it, and cargo xtask nightly with pgrls"]
async fn the_audit_finds_each_leak_that_pgrls_finds() {
    let Ok(program) = env::var("PGRLS") else { return };
    let schema = Orders::alone().await;
    assert_eq!(rules(&program, &schema), ENABLED.map(str::to_owned).into());
    let before = found(&schema).await;
    for (plant, expected, kind, undo) in PLANTED {
        schema.operate(plant).await;
        let rules = rules(&program, &schema);
        for rule in *expected {
            assert!(rules.contains(*rule), "{plant}: pgrls reports {rules:?}");
        }
        let new: Vec<_> =
            found(&schema).await.into_iter().filter(|finding| !before.contains(finding)).collect();
        assert!(
            new.iter().any(|finding| finding.contains(&format!("{kind} "))),
            "{plant}: the audit reports {new:?}"
        );
        schema.operate(undo).await;
    }
}
