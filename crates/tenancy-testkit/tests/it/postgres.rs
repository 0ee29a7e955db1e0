use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use postgres::{Client, NoTls};
use tenancy_testkit::process::{ChildGroup, wait_until};
use tenancy_testkit::{PgBouncer, PgServer};

const LIMIT: Duration = Duration::from_secs(60);

fn ask(url: &str, sql: &str) -> String {
    Client::connect(url, NoTls).unwrap().query_one(sql, &[]).unwrap().get(0)
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_server_answers_until_it_is_dropped() {
    let server = PgServer::options().setting("work_mem", "5MB").start().unwrap();
    let url = server.url("postgres", "postgres");
    assert_eq!(ask(&url, "SHOW work_mem"), "5MB");
    let folder = server.folder().to_owned();
    drop(server);
    assert!(Client::connect(&url, NoTls).is_err());
    assert!(!folder.exists());
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_crash_keeps_committed_rows() {
    let mut server = PgServer::start().unwrap();
    server.execute("postgres", "CREATE TABLE t AS SELECT 'kept' AS c; CHECKPOINT").unwrap();
    let mut connected = Client::connect(&server.url("postgres", "postgres"), NoTls).unwrap();
    server.crash_and_restart().unwrap();
    assert!(connected.query_one("SELECT 1", &[]).is_err(), "the old server is still there");
    assert_eq!(ask(&server.url("postgres", "postgres"), "SELECT c FROM t"), "kept");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn an_invalid_setting_is_reported_with_the_log() {
    let error = PgServer::options().setting("no_such_setting", "1").start().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ended during its start") && text.contains("no_such_setting"), "{text}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_statement_that_fails_is_an_error_with_its_source() {
    let server = PgServer::start().unwrap();
    let error = server.execute("postgres", "SELEKT 1").unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("db error"), "{source}");
}

#[test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
fn a_pooler_passes_statements_on() {
    let server = PgServer::start().unwrap();
    server.execute("postgres", "CREATE ROLE service LOGIN").unwrap();
    let pooler = PgBouncer::start(&server, &["service"], &[("default_pool_size", "1")]).unwrap();
    assert_eq!(ask(&pooler.url("service", "postgres"), "SELECT current_user::text"), "service");
    assert!(Client::connect(&pooler.url("stranger", "postgres"), NoTls).is_err());
    let folder = pooler.folder().to_owned();
    drop(pooler);
    assert!(!folder.exists());
}

fn shared() -> PgServer {
    PgServer::shared("it", |server| {
        server.execute("postgres", "CREATE DATABASE template_it")?;
        server.execute("template_it", "CREATE TABLE t AS SELECT 'template' AS c")
    })
    .unwrap()
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn users_of_a_shared_server_have_databases_of_their_own() {
    let (first, second) = (shared(), shared());
    assert_eq!(first.folder(), second.folder());
    let databases = [&first, &second].map(|server| server.create_database("template_it").unwrap());
    assert_ne!(databases[0], databases[1]);
    first.execute(&databases[0], "UPDATE t SET c = 'first'").unwrap();
    let values = databases.map(|database| ask(&first.url("postgres", &database), "SELECT c FROM t"));
    assert_eq!(values, ["first", "template"]);
}

/// Runs [`holds_a_shared_server`] in two other processes, of which one is killed.
#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn processes_share_a_server_that_ends_after_the_last_of_them() {
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["postgres::holds_a_shared_server", "--exact", "--ignored", "--nocapture"]);
        let mut child =
            ChildGroup::spawn(command.env("TENANCY_TESTKIT_HOLD", "1").stdout(Stdio::piped())).unwrap();
        let output = std::io::BufReader::new(child.take_stdout().unwrap());
        let mut lines = std::io::BufRead::lines(output).map_while(Result::ok);
        let folder = lines.find_map(|line| Some(line.split_once("shared at ")?.1.to_owned())).unwrap();
        (child, folder)
    };
    let (mut killed, folder) = start();
    let (mut last, same) = start();
    assert_eq!(folder, same);
    killed.kill();
    assert!(last.try_wait().unwrap().is_none());
    assert!(Path::new(&folder).exists());
    last.kill();
    assert!(wait_until(LIMIT, || !Path::new(&folder).exists()), "the server has no users and is running");
}

#[test]
#[ignore = "a part of the test above"]
fn holds_a_shared_server() {
    if std::env::var_os("TENANCY_TESTKIT_HOLD").is_some() {
        let server = PgServer::shared("held", |_| Ok(())).unwrap();
        println!("shared at {}", server.folder().display());
        std::thread::sleep(LIMIT);
    }
}
