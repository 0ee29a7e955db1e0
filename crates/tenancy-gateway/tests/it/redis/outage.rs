//! Outages of Redis.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use tenancy_gateway::service::HttpService;
use tenancy_gateway::shared::{RedisUrl, SharedRedis};
use tokio::time::{sleep, timeout};

use super::instance::{ask, ask_each, assert_burst, instance};
use crate::support::call::Call;
use crate::support::process::Gateway;
use crate::support::redis_server::Server;
use crate::support::{ACME, GLOBEX, INITECH, PATIENCE, PLATFORM};

const LIMIT: [&str; 4] = ["--rate", "1", "--burst", "10"];
/// A time-out that a busy machine rarely reaches.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits until an instance uses Redis for its limit.
async fn is_shared(server: &Server, service: &impl HttpService) {
    let () = server.ask("FLUSHALL");
    let counts = async {
        while server.ask::<usize>("DBSIZE") == 0 {
            ask(service, GLOBEX, "GET /v1/whoami", "").await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, counts).await.expect("it asks Redis again");
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn instances_limit_by_themselves_during_an_outage() {
    let mut server = Server::start();
    let one = instance(Some(server.shared_within(LONGEST).await), &LIMIT);
    let other = instance(Some(server.shared_within(LONGEST).await), &LIMIT);
    let start = Instant::now();
    assert_burst(ask_each(&[&one, &other], ACME, 10).await.0, 10, start);

    server.kill();
    for instance in [&one, &other] {
        let start = Instant::now();
        let (passed, refused) = ask_each(&[instance], ACME, 30).await;
        assert_burst(passed, 10, start);
        let refused = refused.expect("a limit");
        assert_eq!((refused.status, refused.retry_after.as_deref()), (429, Some("1")));
        let note = ask(instance, PLATFORM, "POST /v1/notes", r#"{"text":"one"}"#).await.json();
        let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
        assert_eq!(ask(instance, PLATFORM, &format!("GET {path}"), "").await.json(), note);
        let changed = ask(instance, PLATFORM, &format!("PUT {path}"), r#"{"text":"two"}"#).await;
        assert_eq!(ask(instance, PLATFORM, &format!("GET {path}"), "").await, changed);
    }

    server.restart().expect("it starts again");
    is_shared(&server, &one).await;
    is_shared(&server, &other).await;
    let start = Instant::now();
    assert_burst(ask_each(&[&one, &other], ACME, 10).await.0, 10, start);
}

/// The connection stays open, but Redis does not answer.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn stalled_redis_does_not_block_requests() {
    let server = Server::start();
    let service = instance(Some(server.shared_within(LONGEST).await), &LIMIT);
    assert_eq!(ask(&service, ACME, "GET /v1/whoami", "").await.status, 200);
    let () = server.ask("CLIENT PAUSE 60000 ALL");
    let instances = [&service];
    let start = Instant::now();
    let requests = timeout(PATIENCE, ask_each(&instances, ACME, 300));
    let (passed, refused) = requests.await.expect("they are answered");
    assert_burst(passed, 10, start);
    assert_eq!(refused.expect("a limit").status, 429);
}

/// Starts a proxy to the server. Once `is_lost` is set, the proxy drops what is sent on existing connections, without
/// closing them.
fn way_that_is_lost(server: &Server, is_lost: &Arc<AtomicBool>) -> RedisUrl {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (socket, is_lost) = (server.socket(), Arc::clone(is_lost));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let begun_before = !is_lost.load(SeqCst);
            let (server, is_lost) = (UnixStream::connect(&socket).unwrap(), Arc::clone(&is_lost));
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut &from, &mut &to));
            thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(length @ 1..) = (&client).read(&mut bytes) {
                    if !(begun_before && is_lost.load(SeqCst))
                        && (&server).write_all(&bytes[..length]).is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    RedisUrl::from(url)
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn silently_lost_connection_is_replaced() {
    let (server, is_lost) = (Server::start(), Arc::new(AtomicBool::new(false)));
    let way = way_that_is_lost(&server, &is_lost);
    let redis = SharedRedis::connect(&way, LONGEST).await.expect("a connection");
    let service = instance(Some(redis), &LIMIT);
    // So many requests that the bucket's key exists for a while.
    ask_each(&[&service], GLOBEX, 10).await;
    assert_eq!(server.ask::<usize>("DBSIZE"), 1);
    is_lost.store(true, SeqCst);
    assert_eq!(ask(&service, ACME, "GET /v1/whoami", "").await.status, 200);
    is_shared(&server, &service).await;
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn log_reports_beginning_and_end_of_outages() {
    let mut server = Server::with_password("s3cret");
    let gateway = Gateway::with(&[
        "--redis-url",
        &server.url(),
        "--redis-timeout",
        "100",
        "--rate",
        "1000000",
        "--log",
        "trace",
    ]);
    let ask = |tenant| Call::get("/v1/whoami").by("operator").of(tenant).send(gateway.address).status;
    assert!(
        gateway.stdout.text().contains("Redis:    enforces each tenant's rate limit"),
        "{}",
        gateway.stdout.text()
    );
    assert_eq!((ask(ACME), ask(INITECH)), (200, 403));
    for _ in 0..2 {
        server.kill();
        // The gateway asks once a second whether Redis is back: time for two attempts that fail.
        for _ in 0..25 {
            assert_eq!(ask(ACME), 200);
            thread::sleep(Duration::from_millis(100));
        }
        let before = gateway.stderr.text().matches("Redis answers again").count();
        server.restart().expect("it starts again");
        let again = || gateway.stderr.text().matches("Redis answers again").count() > before;
        let asked = crate::support::process::wait_for(|| (ask(ACME) == 200 && again()).then_some(()));
        asked.expect("it is told");
    }
    let log = gateway.stderr.text();
    // A busy machine can cause more than two outages. Each reported beginning has an end, except perhaps the last.
    let (begun, ended) = (log.matches("Redis fails").count(), log.matches("Redis answers again").count());
    assert!(ended >= 2 && (ended..=ended + 1).contains(&begun), "{log}");
    let shown = log + &gateway.stdout.text();
    assert!(!shown.contains("s3cret") && !shown.contains("t:550e"), "{shown}");
}
