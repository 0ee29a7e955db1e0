use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use redis::{Client, Connection, RedisResult};
use tenancy_testkit::{RedisCluster, RedisServer};

fn connect(url: &str) -> RedisResult<Connection> {
    Client::open(url)?.get_connection()
}

fn ask<T: redis::FromRedisValue>(url: &str, line: &str) -> RedisResult<T> {
    let words: Vec<_> = line.split(' ').collect();
    redis::cmd(words[0]).arg(&words[1..]).query(&mut connect(url)?)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_server_answers_until_it_is_dropped() {
    let server = RedisServer::start().unwrap();
    assert_eq!(ask::<String>(&server.url(), "SET k v").unwrap(), "OK");
    let (url, socket) = (server.url(), server.socket());
    drop(server);
    assert!(connect(&url).is_err());
    assert!(!socket.exists() && !socket.parent().unwrap().exists());
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_restart_loses_the_data_and_keeps_the_socket() {
    let mut server = RedisServer::start().unwrap();
    let () = ask(&server.url(), "SET k v").unwrap();
    server.restart().unwrap();
    assert_eq!(ask::<Option<String>>(&server.url(), "GET k").unwrap(), None);
    server.kill();
    assert!(connect(&server.url()).is_err());
    server.restart().unwrap();
    assert_eq!(ask::<i64>(&server.url(), "DBSIZE").unwrap(), 0);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_password_and_settings_are_applied() {
    let server = RedisServer::options().password("s3cret").setting("maxmemory", "5mb").start().unwrap();
    let settings: Vec<String> = ask(&server.url(), "CONFIG GET maxmemory").unwrap();
    assert_eq!(settings, ["maxmemory", "5242880"]);
    let without = format!("unix://{}", server.socket().display());
    assert!(ask::<String>(&without, "PING").is_err());
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_suspended_server_does_not_answer() {
    let server = RedisServer::start().unwrap();
    let mut connection = connect(&server.url()).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    server.pause().unwrap();
    let error = redis::cmd("PING").query::<String>(&mut connection).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    server.resume().unwrap();
    assert_eq!(ask::<String>(&server.url(), "PING").unwrap(), "PONG");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn an_invalid_setting_is_reported_with_the_log() {
    let error = RedisServer::options().setting("no-such-setting", "1").start().unwrap_err();
    assert!(error.to_string().starts_with("`redis-server` ended during its start"), "{error}");
    assert!(!error.is_not_installed());
}

#[test]
fn a_missing_program_says_how_to_install_it() {
    // A process of its own, since the environment belongs to the whole process.
    let this = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(this);
    command.args(["redis::prints_the_error", "--exact", "--ignored", "--nocapture"]);
    let output = command.env("TENANCY_TESTKIT_REDIS_BIN", Path::new("/nonexistent")).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("`redis-server` is not installed: install it (Debian: apt-get"), "{printed}");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn prints_the_error() {
    match RedisServer::start() {
        Ok(server) => assert!(server.socket().exists()),
        Err(error) => println!("{error}"),
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_cluster_has_three_masters_and_gains_a_fourth() {
    let mut cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.nodes().len(), 3);
    let first = cluster.nodes()[0].url();
    let slot: u16 = ask(&first, "CLUSTER KEYSLOT k").unwrap();
    cluster.add_node_with_slot(slot).unwrap();
    let [.., fourth] = cluster.nodes() else { panic!("a node") };
    let () = ask(&fourth.url(), "SET k v").unwrap();
    let error = ask::<()>(&first, "GET k").unwrap_err();
    assert_eq!(error.kind(), redis::ErrorKind::Server(redis::ServerErrorKind::Moved), "{error}");
    let port = fourth.port();
    drop(cluster);
    let error = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
