//! The command `tenancy-pg`.

pub(crate) mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tempfile::TempDir;
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Config, Error, FindingKind, SigningKey, TenantDb};
use tokio_postgres::Client;

use self::command::{Command, Done};
use crate::support::database::{Contents, Database};
use crate::support::orders::{hex, outcome};
use crate::support::{LIMIT, SECRET, eventually};

async fn connect(database: &Database, key: &SigningKey) -> Result<TenantDb, Error> {
    TenantDb::connect(Config::new(database.config("service"), key.clone())).await
}

/// Returns the path of a file in the folder.
fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("a path of text").to_owned()
}

/// A database with the schema and key 1, its operator, and the command for it.
async fn start() -> (Database, Client, Command) {
    let database = Database::shared(Contents::Schema);
    let operator = database.superuser().await;
    let command = Command::of(&database);
    (database, operator, command)
}

async fn count(db: &TenantDb, tenant: TenantId) -> (i64, i64) {
    let count = async |tx: &tenancy_postgres::TenantTx<'_>| {
        let sql = "SELECT count(*), COALESCE(sum(id), 0)::bigint FROM notes";
        let rows = tx.query_unverified(sql, &[]).await?;
        Ok::<_, Error>((rows[0].get(0), rows[0].get(1)))
    };
    db.tx(count).in_tenant(tenant).await.expect("a count")
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sets_up_an_empty_database_for_two_tenants() {
    let database = Database::alone(Contents::Nothing);
    let operator = database.superuser().await;
    let command = Command::of(&database);
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(&folder, "service.key");
    assert!(command.run(&["status"]).ok().starts_with("pending 1 context\n"));
    assert!(command.run(&["audit"]).code == Some(1), "a superuser");
    assert_eq!(
        command.run(&["migrate"]).ok(),
        "applied 1 context\napplied 2 tables\napplied 3 tenants\napplied 4 admin log\napplied 5 context v2\n"
    );
    assert_eq!(command.run(&["migrate", "--json"]).json(), serde_json::json!({ "applied": [] }));
    assert!(command.run(&["status"]).ok().ends_with("applied 5 context v2\n"));
    let generated = command.run(&["key", "generate", "1", "--out", &file]).ok();
    assert_eq!(generated, format!("key 1 is in {file}\n"));
    command.run(&["key", "add", "1", "--secret-file", &file]).ok();
    let tables = "CREATE ROLE service LOGIN IN ROLE tenancy_app; \
        CREATE TABLE notes (id bigserial, title text NOT NULL); \
        INSERT INTO notes (title) SELECT 'note ' || n FROM generate_series(1, 1000) n; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO service";
    operator.batch_execute(tables).await.expect("a table");

    let key: SigningKey = fs::read_to_string(&file).expect("a key").trim().parse().expect("a key");
    match connect(&database, &key).await.expect_err("a table that nobody enabled") {
        Error::Leaks(findings) => {
            assert_eq!(findings.len(), 1);
            assert_eq!((findings[0].kind, &*findings[0].object), (FindingKind::NoTenantId, "public.notes"));
        }
        error => panic!("{error:?}"),
    }
    let audit = command.run(&["audit", "--role", "service"]);
    assert_eq!(audit.code, Some(1));
    assert!(audit.out.starts_with("critical: public.notes: "), "{}", audit.out);
    let audit = command.run(&["audit", "--role", "service", "--json"]);
    assert_eq!((audit.code, &*audit.err), (Some(1), ""));
    let finding = &serde_json::from_str::<Value>(&audit.out).expect("JSON")["findings"][0];
    let parts = ["severity", "kind", "object"].map(|part| finding[part].as_str().expect("a text"));
    assert_eq!(parts, ["critical", "NoTenantId", "public.notes"]);

    let [acme, globex] = ["acme", "globex"].map(|slug| {
        let id = command.run(&["tenant", "create", slug]).ok();
        id.trim().parse::<TenantId>().expect("an id")
    });
    let without = command.run(&["enable", "notes"]);
    assert_eq!(without.code, Some(3), "rows without a tenant");
    assert!(without.err.contains("--backfill"), "{}", without.err);
    let enabled = command.run(&["enable", "notes", "--backfill", &acme.to_string()]);
    assert!(enabled.err.contains("1000 of about 1000 rows"), "{}", enabled.err);
    assert_eq!(enabled.ok(), "enabled notes: 1000 rows backfilled\n");
    operator.batch_execute("REVOKE ALL ON notes FROM service").await.expect("revoked");
    command.run(&["audit", "--role", "service"]).ok();
    assert_eq!(command.run(&["audit", "--role", "service", "--fail-on", "warning"]).code, Some(1));

    let db = connect(&database, &key).await.expect("a database");
    assert_eq!(count(&db, acme).await, (1000, 500_500), "no row is lost");
    assert_eq!(count(&db, globex).await, (0, 0));
    let insert = db.execute("INSERT INTO notes (title) VALUES ('first')", &[]);
    assert_eq!(insert.in_tenant(globex).await.expect("inserted"), 1);
    assert_eq!(count(&db, globex).await, (1, 1001));
    assert_eq!(count(&db, acme).await, (1000, 500_500));
    let log = "SELECT count(*) FROM tenancy.admin_log \
        WHERE login = 'postgres' AND reason = 'tenancy-pg tenant create' AND action = 'create_tenant'";
    assert_eq!(outcome(&operator, log).await, "2");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn creates_lists_and_changes_tenants() {
    let (_database, operator, command) = start().await;
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let made = command.run(&["tenant", "create", "acme", "--id", id, "--json"]).json();
    assert_eq!(made, serde_json::json!({ "id": id, "slug": "acme", "status": "active" }));
    let taken = command.run(&["tenant", "create", "acme", "--json"]);
    assert_eq!((taken.code, &*taken.out), (Some(3), ""));
    let error: Value = serde_json::from_str(&taken.err).expect("JSON");
    assert_eq!(error, serde_json::json!({ "error": "slug is already taken by a tenant", "exit_code": 3 }));
    let line = |status: &str| format!("{id} acme {status}\n");
    assert_eq!(command.run(&["tenant", "suspend", "acme"]).ok(), line("suspended"));
    assert_eq!(command.run(&["tenant", "list"]).ok(), line("suspended"));
    assert_eq!(command.run(&["tenant", "resume", id]).ok(), line("active"));
    assert_eq!(command.run(&["tenant", "delete", "acme", "--reason", "it's over"]).ok(), line("deleted"));
    assert_eq!(command.run(&["tenant", "resume", "acme"]).code, Some(3), "deleted stays so");
    assert_eq!(command.run(&["tenant", "suspend", "nobody"]).code, Some(3));
    let log = "SELECT reason FROM tenancy.admin_log WHERE object LIKE '%deleted'";
    assert_eq!(outcome(&operator, log).await, "it's over");

    let many = "INSERT INTO tenancy.tenants (id, slug) SELECT gen_random_uuid(), 't' || n FROM generate_series(2, 2500) n";
    operator.batch_execute(many).await.expect("tenants");
    let all = outcome(&operator, "SELECT id FROM tenancy.tenants ORDER BY id").await;
    let all: Vec<_> = all.split(';').collect();
    assert_eq!(all.len(), 2500);
    let ids = |done: Done| -> Vec<String> {
        let parse = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
        done.ok().lines().map(|line| parse(line)["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(command.run(&["tenant", "list", "--json"])), all);
    let after = ["tenant", "list", "--json", "--after", all[99], "--limit", "1500"];
    assert_eq!(ids(command.run(&after)), all[100..1600]);
    assert_eq!(command.run(&["tenant", "list", "--limit", "0"]).ok(), "");
    let last = ["tenant", "list", "--after", all[2498], "--limit", "9"];
    assert_eq!(command.run(&last).ok().lines().count(), 1);

    let mut unread = command.start(&["tenant", "list"]);
    drop(unread.take_stdout());
    let done = Done::of(unread);
    assert_eq!((done.code, &*done.err), (Some(0), ""), "a broken pipe ends it quietly");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rotates_a_key_with_a_grace_period() {
    let (database, operator, command) = start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(&folder, "new.key");
    command.run(&["key", "generate", "2", "--out", &file]).ok();
    let old = SigningKey::new(1, SECRET).expect("a key");
    let new: SigningKey = fs::read_to_string(&file).expect("a key").trim().parse().expect("a key");
    operator.batch_execute("CREATE TABLE notes (id bigserial)").await.expect("a table");
    command.run(&["enable", "public.notes"]).ok();
    let (by_old, by_new) =
        (connect(&database, &old).await.expect("a db"), connect(&database, &new).await.expect("a db"));
    let write = async |db: &TenantDb| {
        db.execute("INSERT INTO notes DEFAULT VALUES", &[]).in_tenant(TenantId::PLATFORM).await
    };
    write(&by_old).await.expect("the old key works");
    write(&by_new).await.expect_err("the new one is unknown");
    let rotated =
        command.run(&["key", "rotate", "1", "2", "--secret-file", &file, "--grace", "1h", "--json"]);
    assert_eq!(rotated.json(), serde_json::json!({ "added": 2, "retired": 1, "grace_seconds": 3600.0 }));
    write(&by_old).await.expect("within the grace");
    write(&by_new).await.expect("at once");
    let grace =
        "SELECT not_after BETWEEN now() + '59 min' AND now() + '61 min' FROM tenancy.keys WHERE id = 1";
    assert_eq!(outcome(&operator, grace).await, "t");
    let list = command.run(&["key", "list"]).ok();
    let lines: Vec<_> = list.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("1 until 2") && lines[1] == "2", "{list}");
    command.run(&["key", "retire", "1", "--at", "2001-02-03T04:05:06Z"]).ok();
    let error = write(&by_old).await.expect_err("retired");
    assert_eq!(error.to_string(), "tenancy: the key is unknown or retired (42501)");
    write(&by_new).await.expect("the new one stays");
    let list = command.run(&["key", "list", "--json"]).ok();
    assert_eq!(list, "{\"id\":1,\"not_after\":\"2001-02-03T04:05:06Z\"}\n{\"id\":2,\"not_after\":null}\n");
    assert_eq!(command.run(&["key", "retire", "9"]).code, Some(3));
    let again = ["key", "rotate", "9", "3", "--secret-file", &file];
    assert_eq!(command.run(&again).code, Some(2), "the file is of key 2");
    command.run(&["key", "retire", "2"]).ok();
    write(&by_new).await.expect_err("retired now");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn errors_have_an_exit_code_and_show_no_secret() {
    let (_database, _operator, command) = start().await;
    for (url, code) in [
        ("postgres://u:hunter2@127.0.0.1:1/d", 3),
        ("postgres://u:hunter2@127.0.0.1:1/d?sslmode=require", 3),
        ("postgres://u:hunter2@127.0.0.1:1/d?sslmode=hunter2", 2),
        ("host=127.0.0.1 port=1 user=u password=hunter2", 3),
        ("hunter2", 2),
        ("", 2),
    ] {
        for json in [&[][..], &["--json"]] {
            let command = command.with("DATABASE_URL", url).with("TENANCY_SECRET", "hunter2");
            let given = [&["status", "--url", url], json].concat();
            for done in [command.run(&[&["status"], json].concat()), command.run(&given)] {
                assert_eq!((done.code, &*done.out), (Some(code), ""), "{url}: {}", done.err);
                assert!(!done.err.is_empty() && !done.err.contains("hunter2"), "{url}: {}", done.err);
                let parsed = serde_json::from_str::<Value>(&done.err);
                assert_eq!(parsed.is_ok(), !json.is_empty(), "{}", done.err);
            }
        }
    }
    let secret = hex(b"hunter2 hunter2 hunter2 hunter2 ");
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(&folder, "a.key");
    fs::write(&file, format!("1:{secret}0")).expect("written");
    for arguments in [
        &[][..],
        &["migrat"],
        &["migrate", "--revert"],
        &["enable"],
        &["audit", "--fail-on", "nothing"],
        &["tenant", "create", "Not a slug"],
        &["tenant", "create", "ok", "--id", "00000000-0000-0000-0000-000000000000"],
        &["status", "--reason", " "],
        &["key", "add", "1", &secret],
        &["key", "add", &format!("1:{secret}")],
        &["key", "add", "1", &format!("--secret={secret}")],
        &["key", "add", "1", "--secret-file", &file],
        &["key", "add", "1", "--secret-file", "/nowhere/at all"],
        &["key", "rotate", "1", "2"],
        &["key", "generate", "1", "--out", &file],
        &["status", "postgres://u:hunter2@h/d"],
    ] {
        let done = command.run(arguments);
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains(&secret) && !done.err.contains("hunter2"), "{}", done.err);
        let json = command.run(&[arguments, &["--json"]].concat());
        let error: Value = serde_json::from_str(&json.err).expect("JSON");
        assert_eq!((json.code, &error["exit_code"]), (Some(2), &Value::from(2)), "{arguments:?}");
    }
    assert_eq!(command.with("TENANCY_SECRET", "1:ab").run(&["key", "add", "1"]).code, Some(2));
    let other = command.with("TENANCY_SECRET", &secret).run(&["key", "add", "1"]);
    assert_eq!(other.code, Some(3), "another key has the id");
    assert!(!other.err.contains(&secret), "{}", other.err);
    let kept = fs::read_to_string(&file).expect("read");
    assert_eq!(kept, format!("1:{secret}0"), "what was there is not overwritten");
}

#[test]
fn generates_a_private_key_file_and_each_help_has_an_example() {
    let command = Command::without_database();
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(&folder, "a.key");
    let done = command.run(&["key", "generate", "-7", "--out", &file, "--json"]);
    assert_eq!(done.err, "");
    assert_eq!(done.json(), serde_json::json!({ "id": -7, "file": file }));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let key: SigningKey = fs::read_to_string(&file).expect("a key").trim().parse().expect("a key");
    assert_eq!(key.id(), -7);
    let [first, second] = [1, 2].map(|_| command.run(&["key", "generate", "3"]).ok());
    assert_ne!(first, second);
    assert_eq!(first.trim().parse::<SigningKey>().expect("a key").id(), 3);
    assert_eq!(first.trim().len(), 2 + 64);

    let url = command.with("DATABASE_URL", "postgres://u:hunter2@h/d");
    let help = url.run(&["--help"]).ok();
    assert!(!help.contains("hunter2"), "{help}");
    for text in ["Exit codes:", "DATABASE_URL", "sslmode", "Example"] {
        assert!(help.contains(text), "{text}");
    }
    for command in [
        "migrate",
        "status",
        "enable",
        "share",
        "audit",
        "harden",
        "tenant create",
        "tenant list",
        "tenant suspend",
        "tenant resume",
        "tenant delete",
        "key add",
        "key generate",
        "key rotate",
        "key list",
        "key retire",
    ] {
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = url.run(&arguments).ok();
        assert!(help.contains(&format!("Example: tenancy-pg {command}")), "{help}");
    }
    assert_eq!(command.run(&["status"]).code, Some(2), "no URL");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn enable_can_be_repeated_after_it_was_killed() {
    let (_database, operator, command) = start().await;
    // The table fills three batches of blocks.
    let sql = "CREATE TABLE notes (id bigint, title text); \
        INSERT INTO notes SELECT n, repeat('x', 100) FROM generate_series(1, 150000) n";
    operator.batch_execute(sql).await.expect("a table");
    let sum = outcome(&operator, "SELECT sum(id) FROM notes").await;
    // The column can be added; the last batch waits for this row.
    operator.batch_execute("SELECT tenancy.add_tenant_column('notes')").await.expect("a column");
    operator.batch_execute("BEGIN; SELECT FROM notes WHERE id = 150000 FOR UPDATE").await.expect("a lock");
    let tenant = "550e8400-e29b-41d4-a716-446655440000";
    let enable = ["enable", "notes", "--backfill", tenant];
    let mut killed = command.start(&enable);
    let line = command::first_line(killed.take_stderr().expect("stderr"));
    assert!(line.contains(" of about "), "{line}");
    killed.kill();
    let terminate =
        "SELECT pg_stat_clear_snapshot(); SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'tenancy-admin' AND datname = current_database()";
    eventually("its backend ends", LIMIT, async || outcome(&operator, terminate).await == ";0").await;
    operator.batch_execute("ROLLBACK").await.expect("unlocked");
    let state = "SELECT count(tenant_id) > 0, count(*) > count(tenant_id), sum(id) FROM notes";
    assert_eq!(outcome(&operator, state).await, format!("t,t,{sum}"), "it stopped in the middle");
    let again = command.run(&[&enable[..], &["--json"]].concat()).json();
    assert!(again["filled"].as_u64().is_some_and(|filled| (1..150_000).contains(&filled)), "{again}");
    let state =
        format!("SELECT count(*), count(*) FILTER (WHERE tenant_id = '{tenant}'), sum(id) FROM notes");
    assert_eq!(outcome(&operator, &state).await, format!("150000,150000,{sum}"));
    command.run(&["audit", "--role", "service"]).ok();
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn quotes_names_in_sql() {
    let (_database, operator, command) = start().await;
    let odd = r#"public."no""te's'); DROP TABLE kept; --""#;
    let sql =
        format!("CREATE TABLE kept (id int); CREATE TABLE {odd} (id int); INSERT INTO {odd} VALUES (1)");
    operator.batch_execute(&sql).await.expect("tables");
    let tenant = "550e8400-e29b-41d4-a716-446655440000";
    let enabled = command.run(&["enable", odd, "--backfill", tenant, "--json"]).json();
    assert_eq!(enabled, serde_json::json!({ "table": odd, "filled": 1 }));
    assert_eq!(outcome(&operator, &format!("SELECT * FROM {odd}")).await, format!("1,{tenant}"));
    for name in ["kept'); DROP TABLE kept; --", "kept; DROP TABLE kept", "\"", "", "kept\0"] {
        for verb in ["enable", "share"] {
            // The operating system rejects an argument with a NUL.
            if let Some(done) = command.try_run(&[verb, name]) {
                assert_eq!(done.code, Some(3), "{verb} {name:?}: {}", done.err);
            }
        }
    }
    let role = command.run(&["audit", "--role", "service'; DROP TABLE kept; --"]);
    assert_eq!(role.code, Some(3), "{}", role.err);
    assert_eq!(outcome(&operator, "SELECT count(*) FROM kept").await, "0", "it is there");
    command.run(&["share", "kept"]).ok();
    let granted = "SELECT has_table_privilege('service', 'kept', 'SELECT'), has_table_privilege('service', 'kept', 'INSERT')";
    assert_eq!(outcome(&operator, granted).await, "t,f");
    command.run(&["audit", "--role", "service"]).ok();
    let log = "SELECT object FROM tenancy.admin_log WHERE action = 'share_table' AND object = 'kept'";
    assert_eq!(outcome(&operator, log).await, "kept");
    assert_eq!(
        command.run(&["migrate", "--revert", "--to", "2"]).ok(),
        "reverted 5 context v2\nreverted 4 admin log\nreverted 3 tenants\n"
    );
    assert_eq!(command.run(&["tenant", "list"]).code, Some(3));
    assert_eq!(command.run(&["migrate", "--to", "3"]).ok(), "applied 3 tenants\n");
    command.run(&["tenant", "create", "acme"]).ok();
}
