//! `gateway migrate`.

use crate::support::call::Call;
use crate::support::database::{Database, KEY};
use crate::support::process::run;
use crate::support::{ACME, GLOBEX, PLATFORM};

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn migration_reports_its_steps_and_can_be_repeated() {
    let database = Database::empty();
    let (code, first, stderr) = run(database.migration(&[]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(first.starts_with("schema tenancy: applied 1, 2, 3"), "{first}");
    assert!(first.contains("\nkey 1: registered\n"), "{first}");
    assert!(first.ends_with("tenants: added acme, globex, initech, platform\n"), "{first}");
    let store = database.ask("SELECT id::text FROM gateway.store");
    database.operate(&format!("UPDATE tenancy.tenants SET status = 'suspended' WHERE id = '{GLOBEX}'"));
    let (code, second, stderr) = run(database.migration(&[]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(second.starts_with("schema tenancy: up to date\nkey 1: registered\n"), "{second}");
    assert!(second.ends_with("tenants: up to date\n"), "{second}");
    assert_eq!(database.ask("SELECT id::text FROM gateway.store"), store, "the store is the same");
    let status = format!("SELECT status FROM tenancy.tenants WHERE id = '{GLOBEX}'");
    assert_eq!(database.ask(&status), ["suspended"], "and a tenant stays as it is");
    let shown = first + &second + &stderr;
    assert!(!shown.contains(&KEY[2..]), "{shown}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn rejects_another_secret_with_the_same_key_id() {
    let database = Database::migrated();
    let mut migration = database.migration(&[]);
    migration.env("TENANCY_KEY", KEY.replace("0f", "5e"));
    let (code, _, stderr) = run(migration);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("another key with the id 1"), "{stderr}");
    let mut migration = database.migration(&[]);
    migration.env("TENANCY_KEY", KEY.replacen('1', "2", 1));
    assert_eq!(run(migration).0, Some(0), "both are good until the old one is retired");
    assert_eq!(database.ask("SELECT count(*)::text FROM tenancy.keys"), ["2"]);
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn migration_names_a_slug_used_by_another_tenant() {
    let database = Database::migrated();
    let census = format!(
        r#"{{"tenants":[{{"id":"{}","slug":"acme","status":"active"}}],"principals":[]}}"#,
        "9".repeat(32)
    );
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("another-acme.json");
    std::fs::write(&path, census).expect("written");
    let (code, _, stderr) = run(database.migration(&["--principals", path.to_str().expect("UTF-8")]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("acme: slug is already taken by a tenant"), "{stderr}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn file_without_platform_disables_administration() {
    let demo = include_str!("../../../demo.json");
    let own: Vec<_> = demo.lines().filter(|line| !line.contains("\"platform\"")).collect();
    let own = own.join("\n").replace("\"suspended\" },", "\"suspended\" }");
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-platform.json");
    std::fs::write(&path, own).expect("written");
    let principals = ["--principals", path.to_str().expect("UTF-8")];
    let database = Database::migrated_with(&principals);
    let gateway = database.gateway(&principals);
    let ask = |tenant| Call::get("/v1/tenants").by("operator").of(tenant).send(gateway.address).status;
    assert_eq!((ask(PLATFORM), ask(ACME)), (404, 403));
}
