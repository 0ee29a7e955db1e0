//! The commands `tenancy-pg audit` and `tenancy-pg harden`.

use std::fs;

use serde_json::Value;
use tenancy_postgres::{AdminAccess, AdminDb};

use crate::audit::{found, refused};
use crate::cli::command::Command;
use crate::support::orders::{Orders, outcome};

const AUDIT: &[&str] = &["audit", "--role", "service"];
const HARDEN: &[&str] = &["harden", "--role", "service"];

fn with<'a>(command: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    [command, arguments].concat()
}

/// Adds tables with 60 findings, of which 30 are critical.
async fn plant(schema: &Orders) {
    for n in 0..30 {
        let table = format!(
            "CREATE TABLE t{n} (id int UNIQUE); SELECT tenancy.enable_table('t{n}'); \
            GRANT TRUNCATE ON t{n} TO tenancy_app"
        );
        schema.operate(&table).await;
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn audit_prints_a_summary_with_the_worst_first() {
    let schema = Orders::start().await;
    let command = Command::of(&schema.database);
    let few = command.run(AUDIT).ok();
    assert!(
        few.lines().all(|line| line.starts_with("warning: ") || line.starts_with("0 critical, ")),
        "{few}"
    );
    assert!(few.lines().last().is_some_and(|line| !line.contains("--all")), "{few}");
    plant(&schema).await;
    let short = command.run(AUDIT);
    assert_eq!(short.code, Some(1));
    let lines: Vec<_> = short.out.lines().collect();
    assert!(lines.len() <= 20, "{}", short.out);
    let first = "critical: TRUNCATE is granted, and no policy applies to it (30): public.t0, public.t1, public.t10 and 27 more";
    assert_eq!(lines[0], first);
    assert!(lines[1].starts_with("warning: "), "{}", short.out);
    let total = lines[lines.len() - 1];
    assert!(
        total.starts_with("30 critical, ") && total.ends_with("--all shows each finding with its remedy"),
        "{total}"
    );
    let all = command.run(&with(AUDIT, &["--all"])).out;
    assert!(all.lines().count() > 60, "{all}");
    assert!(all.contains("critical: public.t7: TRUNCATE is granted, and no policy applies to it; remedy: REVOKE TRUNCATE ON public.t7 FROM PUBLIC, service, tenancy_app, tenancy_shared\n"));
    let json: Value = serde_json::from_str(&command.run(&with(AUDIT, &["--json"])).out).expect("JSON");
    let findings = json["findings"].as_array().expect("findings");
    assert_eq!(findings.len() + 1, all.lines().count(), "JSON has all");
    assert_eq!(
        findings[0]["sql"][0],
        "REVOKE TRUNCATE ON public.t0 FROM PUBLIC, service, tenancy_app, tenancy_shared"
    );
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn audit_accepts_findings_by_name() {
    let schema = Orders::start().await;
    let command = Command::of(&schema.database);
    schema.operate("CREATE TABLE open (id int); GRANT SELECT ON open TO tenancy_app").await;
    assert_eq!(command.run(AUDIT).code, Some(1));
    let accept = ["--accept", "NoTenantId:public.open=countries of the world"];
    let done = command.run(&with(AUDIT, &accept));
    assert_eq!(done.code, Some(0), "{}", done.out);
    assert!(
        done.out.contains("accepted: public.open: ")
            && done.out.contains("; reason: countries of the world\n")
    );
    assert!(done.out.contains(", 1 accepted"), "{}", done.out);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy");
    fs::write(&file, "# Why\nNoTenantId:public.open=countries\nstateful-extension mine\n").expect("written");
    let file = file.to_str().expect("a path of text");
    let json = command.run(&with(AUDIT, &["--policy", file, "--json"])).json();
    let accepted: Vec<_> = json["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|f| f["severity"] == "accepted")
        .collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["accepted"], "countries");
    for wrong in
        ["NoTenantId:public.open", "NoTenantId:public.open= ", "Superuser:postgres=why", "Nothing:x=y"]
    {
        assert_eq!(command.run(&with(AUDIT, &["--accept", wrong])).code, Some(2), "{wrong}");
    }
    assert_eq!(command.run(&with(AUDIT, &["--policy", "/nowhere/at all"])).code, Some(2));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn harden_shows_and_applies_the_sql() {
    let schema = Orders::start().await;
    let command = Command::of(&schema.database);
    plant(&schema).await;
    schema.operate("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; CREATE TABLE \"a\n; DROP TABLE orders; --\" (tenant_id uuid)").await;
    let before = found(&schema).await;

    let shown = command.run(&with(HARDEN, &["--dry-run"]));
    assert_eq!(shown.code, Some(1), "findings are left");
    assert!(shown.out.contains("-- critical: public.orders: row-level security is not forced\nALTER TABLE public.orders FORCE ROW LEVEL SECURITY;\n"), "{}", shown.out);
    let comments =
        shown.out.lines().filter(|line| line.contains("DROP TABLE orders") && line.starts_with("--"));
    assert_eq!(comments.count(), 1, "a line break in a name does not end a comment: {}", shown.out);
    let unasked = command.run(HARDEN);
    assert_eq!(unasked.code, Some(2), "stdin has no answer: {}", unasked.err);
    assert_eq!(command.run(&with(HARDEN, &["--json"])).code, Some(2));
    assert_eq!(found(&schema).await, before, "nothing was changed");

    let critical = command.run(&with(HARDEN, &["--only", "critical", "--yes"]));
    assert_eq!(critical.code, Some(0), "{}{}", critical.out, critical.err);
    let left = found(&schema).await;
    assert!(!left.iter().any(|finding| finding.starts_with('!')), "{left:?}");
    assert!(left.iter().any(|finding| finding.starts_with("TempGranted ")), "warnings are left");
    assert_eq!(refused(&schema).await, Vec::<String>::new());

    let all = command.run(&with(HARDEN, &["--yes", "--fail-on", "warning"]));
    assert_eq!(all.code, Some(1), "keys without tenant_id need a decision");
    let left = found(&schema).await;
    assert!(!left.iter().any(|finding| finding.starts_with("TempGranted ")), "{left:?}");
    assert!(command.run(&with(HARDEN, &["--yes"])).err.contains("no finding has SQL to apply"));
    let log = "SELECT count(*), min(reason) FROM tenancy.admin_log WHERE action = 'harden'";
    assert_eq!(outcome(&schema.operator, log).await, "2,tenancy-pg harden");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn harden_applies_all_statements_or_none() {
    let schema = Orders::start().await;
    let command = Command::of(&schema.database);
    // The first statement works. The last one fails: a row has no tenant.
    schema
        .operate(
            "GRANT TRUNCATE ON orders TO tenancy_app; ALTER TABLE orders ALTER tenant_id DROP NOT NULL; \
            ALTER TABLE orders DISABLE ROW LEVEL SECURITY; UPDATE orders SET tenant_id = NULL WHERE id = 1",
        )
        .await;
    let before = found(&schema).await;
    let done = command.run(&with(HARDEN, &["--yes"]));
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(done.err.contains("23502"), "{}", done.err);
    assert_eq!(found(&schema).await, before);
    let log = "SELECT count(*) FROM tenancy.admin_log WHERE action = 'harden'";
    assert_eq!(outcome(&schema.operator, log).await, "0");
    let access = AdminAccess::new("a test").expect("a reason");
    let mut admin = AdminDb::connect(schema.database.config("postgres"), access).await.expect("a connection");
    let statements = ["REVOKE TRUNCATE ON orders FROM tenancy_app".to_owned(), "SELECT 1 / 0".to_owned()];
    admin.harden(&statements).await.expect_err("the second fails");
    assert_eq!(found(&schema).await, before);
}

/// The API roles of Supabase have all privileges on each table from its creation.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn harden_prepares_a_supabase_project() {
    let schema = Orders::alone().await;
    let command = Command::of(&schema.database);
    schema
        .operate(
            "CREATE ROLE anon; CREATE ROLE authenticated; GRANT tenancy_app TO authenticated; \
            CREATE ROLE web LOGIN IN ROLE authenticated; \
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated; \
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated; \
            CREATE TABLE posts (id bigserial, title text); SELECT tenancy.enable_table('posts')",
        )
        .await;
    let web = schema.database.client("web").await;
    let truncated = outcome(&web, "BEGIN; TRUNCATE posts; ROLLBACK").await;
    assert_eq!(truncated, "", "a tenant can empty the table for all tenants");
    let audit = command.run(&["audit", "--role", "web"]);
    assert_eq!(audit.code, Some(1));
    assert!(audit.out.starts_with("critical: public.posts: TRUNCATE is granted"), "{}", audit.out);
    for object in [
        "warning: public.posts TO anon: ",
        "warning: SEQUENCE public.posts_id_seq: ",
        "warning: TABLES OF postgres IN SCHEMA public TO anon: ",
        "warning: TABLES OF postgres IN SCHEMA public TO authenticated: ",
        "warning: SEQUENCES OF postgres IN SCHEMA public TO anon: ",
    ] {
        assert!(audit.out.contains(object), "{object}: {}", audit.out);
    }
    let done = command.run(&["harden", "--role", "web", "--yes"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_eq!(outcome(&web, "TRUNCATE posts").await, "ERROR 42501");
    for word in ["TRUNCATE", "SEQUENCE", "public TO", "posts TO"] {
        assert!(
            !done.out.lines().any(|line| line.starts_with("warning") && line.contains(word)),
            "{}",
            done.out
        );
    }
    schema.operate("CREATE TABLE later (id int)").await;
    assert_eq!(outcome(&web, "SELECT count(*) FROM later").await, "ERROR 42501");
}
