//! Errors at the start with a database.

use std::net::TcpListener;
use std::process::Command;

use crate::support::ACME;
use crate::support::call::Call;
use crate::support::database::{Database, KEY};
use crate::support::process::{Gateway, command, run};

/// Returns the error of a program that does not start.
fn refused(command: Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(!stderr.contains("s3cret") && !stderr.contains(&KEY[2..]), "{stderr}");
    stderr
}

fn with(variables: &[(&str, &str)]) -> Command {
    let mut command = command(&["--log", "trace", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied());
    command
}

#[test]
fn database_url_requires_a_key() {
    let error = refused(with(&[("DATABASE_URL", "postgres://u:s3cret@127.0.0.1:1/d")]));
    assert!(error.contains("--tenancy-key") && error.contains("TENANCY_KEY"), "{error}");
}

#[test]
fn invalid_key_or_url_is_not_printed() {
    let url = "postgres://u:s3cret@127.0.0.1:1/d";
    for key in ["", "s3cret", "1:5ec3e7", &format!("1:{}s3cret", "0".repeat(64)), &KEY[2..]] {
        let error = refused(with(&[("DATABASE_URL", url), ("TENANCY_KEY", key)]));
        assert!(error.contains("ID:HEX"), "{error}");
        let migration = command(&["migrate", "--admin-url", url, "--tenancy-key", key]);
        assert_eq!(refused(migration), error);
    }
    for url in ["", "s3cret", "http://u:s3cret@h", "postgres://u:s3/cret@h/d"] {
        let error = refused(with(&[("DATABASE_URL", url), ("TENANCY_KEY", KEY)]));
        assert!(error.contains("postgres://user[:password]@host"), "{error}");
        let migration = command(&["migrate", "--admin-url", url, "--tenancy-key", KEY]);
        assert_eq!(refused(migration), error);
    }
}

#[test]
fn names_host_and_port_if_the_connection_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("postgres://u:s3cret@{address}/d");
    let error = refused(with(&[("DATABASE_URL", &url), ("TENANCY_KEY", KEY)]));
    assert!(error.starts_with(&format!("error: cannot use the database at {address}: ")), "{error}");
    assert!(error.contains("refused"), "{error}");
    assert_eq!(refused(command(&["migrate", "--admin-url", &url, "--tenancy-key", KEY])), error);
}

#[test]
fn help_names_the_variables_and_not_their_values() {
    let variables = ["DATABASE_URL", "DATABASE_LISTEN_URL", "DATABASE_ADMIN_URL", "TENANCY_KEY"];
    for arguments in [&["--help"][..], &["migrate", "--help"]] {
        let mut command = command(arguments);
        command.envs(variables.map(|name| (name, "s3cret")));
        let (code, help, _) = run(command);
        assert_eq!(code, Some(0));
        assert!(!help.contains("s3cret") && help.contains("[env: TENANCY_KEY]"), "{help}");
        let named = variables.iter().filter(|name| help.contains(&format!("[env: {name}]"))).count();
        // All commands take the store's options; only `migrate` takes the administrator's URL.
        assert_eq!(named, if arguments.len() == 1 { 3 } else { 4 }, "{help}");
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn unmigrated_database_names_the_command_to_run() {
    let database = Database::empty();
    let mut command = database.command(&[]);
    command.env("DATABASE_URL", database.url("postgres"));
    let error = refused(command);
    assert!(error.contains("`gateway migrate`") && error.contains("--admin-url"), "{error}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn refuses_a_leaking_database_and_prints_each_finding() {
    for (sql, object) in [
        ("CREATE TABLE leaky (id int); GRANT SELECT ON leaky TO tenancy_app", "public.leaky"),
        ("ALTER TABLE gateway.notes DISABLE ROW LEVEL SECURITY", "gateway.notes"),
        ("ALTER TABLE gateway.notes NO FORCE ROW LEVEL SECURITY", "gateway.notes"),
        ("DROP POLICY tenancy_isolation ON gateway.notes", "gateway.notes"),
        (
            "CREATE VIEW every_note AS SELECT * FROM gateway.notes; GRANT SELECT ON every_note TO tenancy_app",
            "public.every_note",
        ),
    ] {
        let database = Database::migrated();
        database.operate("CREATE TABLE another (id int); GRANT INSERT ON another TO tenancy_app");
        database.operate(sql);
        let error = refused(database.command(&[]));
        for object in [object, "public.another"] {
            let line = error.lines().find(|line| line.starts_with(&format!("- critical: {object}: ")));
            assert!(line.is_some_and(|line| line.contains("; remedy: ")), "{error}");
        }
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn refuses_a_superuser() {
    let database = Database::migrated();
    let mut command = database.command(&[]);
    command.env("DATABASE_URL", database.url("postgres"));
    let error = refused(command);
    assert!(error.contains("- critical: postgres: "), "{error}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn refuses_a_key_unknown_to_the_database() {
    let database = Database::migrated();
    for (key, id) in [(KEY.replace("0f", "5e"), "1"), (KEY.replacen('1', "2", 1), "2")] {
        let mut command = database.command(&["--log", "trace"]);
        command.env("TENANCY_KEY", &key);
        let error = refused(command);
        assert!(error.contains(&format!("the key {id} of TENANCY_KEY")), "{error}");
        assert!(!error.contains(&key[2..]), "{error}");
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn log_has_no_database_secret() {
    let database = Database::migrated();
    let mut command = database.command(&["--log", "trace", "--listen", "127.0.0.1:0"]);
    command.env("DATABASE_URL", database.url("secretive").replace('@', ":s3cret@"));
    let gateway = Gateway::of(command);
    let call = Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"s3cret"}"#);
    assert_eq!(call.send(gateway.address).status, 201);
    gateway.stderr.with("answered");
    let shown = gateway.stderr.text() + &gateway.stdout.text();
    assert!(shown.contains("data:     Postgres"), "{shown}");
    assert!(!shown.contains("s3cret") && !shown.contains(&KEY[2..]), "{shown}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn listens_through_the_listen_url() {
    let database = Database::migrated();
    let with_listener = |url: &str| {
        let mut command = database.command(&["--listen", "127.0.0.1:0"]);
        command.env("DATABASE_LISTEN_URL", url);
        command
    };
    let _gateway = Gateway::of(with_listener(&database.url("listener")));
    let listener = "SELECT string_agg(usename, ' ') FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(database.ask(listener), ["listener"]);
    let error = refused(with_listener("postgres://u:s3cret@127.0.0.1:1/d"));
    assert!(error.contains("listening for changes of tenants: "), "{error}");
}
