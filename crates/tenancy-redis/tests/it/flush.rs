//! Removing and measuring the keys of one tenant.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncCommands, Cmd, Connection, ErrorKind, Pipeline, RedisFuture, RedisResult, Value};
use tenancy_redis::{RedisPolicy, Refusal, TenantRedis, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, dump_all};

async fn multiplexed(server: &Server, resp: u8) -> MultiplexedConnection {
    crate::support::aio::multiplexed(&server.client(resp)).await.expect("a connection")
}

/// Creates a number of keys with the prefix, of all types.
fn fill(raw: &mut Connection, prefix: &str, keys: usize) {
    const FILL: &str = "
        local function member(number) return 'member ' .. number end
        for number = ARGV[2], ARGV[3] do
            local key = ARGV[1] .. number
            local kind = number % 6
            if kind == 0 then redis.call('SET', key, member(number))
            elseif kind == 1 then redis.call('HSET', key, 'f', member(number), 'g', number)
            elseif kind == 2 then redis.call('RPUSH', key, member(number), number)
            elseif kind == 3 then redis.call('SADD', key, member(number), number)
            elseif kind == 4 then redis.call('ZADD', key, number, member(number))
            else redis.call('XADD', key, '1-1', 'f', member(number)) end
        end";
    for from in (1..=keys).step_by(5000) {
        let to = keys.min(from + 4999);
        let mut eval = redis::cmd("EVAL");
        let () = eval.arg(FILL).arg(0).arg(prefix).arg(from).arg(to).query(raw).expect("keys");
    }
}

/// Returns keys that are not A's, although their names resemble A's.
fn neighbours() -> Vec<String> {
    let cut = &PREFIX_A[..PREFIX_A.len() - 1];
    let mut names: Vec<_> = ["", "t", "t:", "t:*", "*", "k"].map(str::to_owned).into();
    names.extend([
        cut.to_owned(),
        format!("{cut}k"),
        format!("{cut};k"),
        format!("{}:k", &cut[..cut.len() - 1]),
    ]);
    names.extend([format!(" {PREFIX_A}k"), format!("{PREFIX_B}{PREFIX_A}k"), PREFIX_A.to_uppercase()]);
    for at in 2..cut.len() {
        let mut other = PREFIX_A.to_owned();
        other.replace_range(at..=at, "b");
        names.push(format!("{other}k"));
    }
    names
}

fn without(all: BTreeMap<Vec<u8>, (Vec<u8>, i64)>, prefix: &str) -> BTreeMap<Vec<u8>, (Vec<u8>, i64)> {
    all.into_iter().filter(|(key, _)| !key.starts_with(prefix.as_bytes())).collect()
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_leaves_all_other_keys_unchanged() -> RedisResult<()> {
    let server = Server::start();
    let mut raw = server.raw();
    fill(&mut raw, PREFIX_B, 100_000);
    fill(&mut raw, PREFIX_A, 20_000);
    for name in neighbours() {
        let () = redis::cmd("SET").arg(name).arg("other").query(&mut raw)?;
    }
    let before = dump_all(&mut raw);
    let others = without(before.clone(), PREFIX_A);
    assert_eq!(before.len() - others.len(), 20_000);

    let mut a = TenantRedis::new(multiplexed(&server, 2).await, A);
    let report = a.flush_tenant().await?;
    assert_eq!((report.keys(), report.masters()), (20_000, 1));
    assert!(dump_all(&mut raw) == others, "the others' keys, values and times to live");
    assert_eq!(a.flush_tenant().await?.keys(), 0);
    Ok(())
}

/// Includes names that could be read as patterns.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_removes_every_name_in_each_mode_and_policy() -> RedisResult<()> {
    const STRICT: RedisPolicy =
        RedisPolicy::new().max_args(1).max_value_len(1).max_ttl(Duration::from_secs(1)).require_ttl();
    let server = Server::start();
    for resp in [2, 3] {
        let raw = multiplexed(&server, resp).await;
        let handles = [
            TenantRedis::new(raw.clone(), A),
            TenantRedis::dedicated(raw.clone(), A),
            TenantRedis::new(raw.clone(), A).policy(STRICT),
        ];
        for mut redis in handles {
            let mut a = TenantRedis::new(raw.clone(), A);
            let names = [&b""[..], b"*", b"[a]", b"?", b"\\", b"{tag}", b"\r\n", b"\0", b"\xff\xfe", b"k:k"];
            for name in names {
                let () = a.set(name, "v").await?;
            }
            let () = a.set_ex("short", "v", 1000).await?;
            let () = TenantRedis::new(raw.clone(), B).set("k", "v").await?;
            assert_eq!(redis.usage().await?.keys(), 11);
            assert_eq!(redis.flush_tenant().await?.keys(), 11);
            assert_eq!(server.keys(), [format!("{PREFIX_B}k").into_bytes()]);
        }
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_of_a_namespace_leaves_the_tenants_other_keys() -> RedisResult<()> {
    let server = Server::start();
    let shared = multiplexed(&server, 2).await;
    let mut a = TenantRedis::new(shared.clone(), A);
    let mut cache = a.clone().namespace("cache");
    for number in 0..50 {
        let () = cache.set(number, "v").await?;
    }
    for name in ["cache", "cache2:k", "k", "cach:e", "x:cache:k"] {
        let () = a.set(name, "v").await?;
    }
    let () = TenantRedis::new(shared, B).namespace("cache").set("k", "v").await?;
    assert_eq!(cache.usage().await?.keys(), 50);
    assert_eq!(cache.flush_tenant().await?.keys(), 50);
    assert_eq!(a.flush_tenant().await?.keys(), 5);
    assert_eq!(server.keys(), [format!("{PREFIX_B}cache:k").into_bytes()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_ends_while_the_tenant_writes() -> RedisResult<()> {
    let server = Server::start();
    fill(&mut server.raw(), PREFIX_A, 5000);
    let shared = multiplexed(&server, 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (stop, mut a) = (Arc::clone(&stop), TenantRedis::new(shared.clone(), A));
        async move {
            let mut written = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let () = a.set(format!("new{written}"), "v").await?;
                written += 1;
            }
            RedisResult::Ok(written)
        }
    });
    // In a task of its own, which requires the future to be `Send`.
    let flusher = tokio::spawn({
        let mut a = TenantRedis::new(shared.clone(), A);
        async move { tokio::time::timeout(Duration::from_mins(1), a.flush_tenant()).await }
    });
    let report = flusher.await.expect("no panic").expect("within 60 s")?;
    assert!(report.keys() >= 5000, "{report:?}");
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.expect("no panic")?;
    let rest = TenantRedis::new(shared, A).flush_tenant().await?;
    assert_eq!(report.keys() + rest.keys(), 5000 + u64::from(written));
    assert_eq!(server.keys().len(), 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn usage_is_the_sum_of_the_tenants_keys() -> RedisResult<()> {
    let server = Server::start();
    let mut raw = server.raw();
    fill(&mut raw, PREFIX_A, 5000);
    fill(&mut raw, PREFIX_B, 2000);
    let _: Value = ask(&mut raw, &format!("SETRANGE {PREFIX_A}large 1000000 x"));
    let mut expected: u64 = 0;
    for key in server.keys().into_iter().filter(|key| key.starts_with(PREFIX_A.as_bytes())) {
        expected += redis::cmd("MEMORY").arg("USAGE").arg(key).query::<u64>(&mut raw)?;
    }
    let usage = TenantRedis::new(multiplexed(&server, 3).await, A).usage().await?;
    assert_eq!((usage.keys(), usage.bytes()), (5001, expected));
    assert!(usage.bytes() > 1_000_000);
    Ok(())
}

/// A server that returns given replies in order and records the commands.
#[derive(Clone)]
struct Told {
    replies: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Told {
    /// Adds a first reply which says that the server is not part of a cluster.
    fn alone(replies: impl IntoIterator<Item = Value>) -> Self {
        let info = Value::BulkString(b"# Cluster\r\ncluster_enabled:0\r\n".to_vec());
        Self::new([info].into_iter().chain(replies))
    }

    fn new(replies: impl IntoIterator<Item = Value>) -> Self {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        Self { replies: Arc::new(Mutex::new(replies)), asked: Arc::default() }
    }

    fn answer(&self, cmd: &Cmd) -> Option<Value> {
        let words = cmd.args_iter().map(|argument| match argument {
            redis::Arg::Simple(bytes) => bytes.escape_ascii().to_string(),
            _ => "cursor".to_owned(),
        });
        self.asked.lock().expect("asked").push(words.collect::<Vec<_>>().join(" "));
        self.replies.lock().expect("replies").pop()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }

    fn tenant(&self) -> TenantRedis<Self> {
        TenantRedis::new(self.clone(), A)
    }
}

impl ConnectionLike for Told {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async { Ok(self.answer(cmd).expect("a reply")) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { Ok(pipeline.cmd_iter().filter_map(|cmd| self.answer(cmd)).collect()) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.into())
}

fn page(cursor: &str, keys: &[&str]) -> Value {
    Value::Array(vec![bulk(cursor), Value::Array(keys.iter().map(|key| bulk(key)).collect())])
}

/// Returns whether the error is a rejected reply; asserts that it shows nothing of another tenant.
fn is_a_reply(error: &redis::RedisError) -> bool {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("secret") && !shown.contains(PREFIX_B), "{shown}");
    refusal(error) == Some(Refusal::Reply)
}

#[tokio::test]
async fn flush_and_usage_reject_foreign_keys_without_showing_them() {
    let own = format!("{PREFIX_A}k");
    for foreign in [&format!("{PREFIX_B}secret"), "secret", "", &PREFIX_A[..PREFIX_A.len() - 1]] {
        for keys in [&[&own, foreign][..], &[foreign, &own]] {
            let server = Told::alone([page("0", keys)]);
            assert!(is_a_reply(&server.tenant().flush_tenant().await.unwrap_err()));
            assert_eq!(server.asked().len(), 2, "nothing after SCAN: {:?}", server.asked());
            let server = Told::alone([page("0", keys)]);
            assert!(is_a_reply(&server.tenant().usage().await.unwrap_err()));
            assert_eq!(server.asked().len(), 2, "nothing after SCAN: {:?}", server.asked());
        }
    }
    let nested = Value::Array(vec![bulk(&format!("{PREFIX_B}secret"))]);
    let shapes = [
        nested.clone(),
        Value::Nil,
        Value::Okay,
        Value::Map(vec![(bulk("10.0.0.1:6379"), page("0", &[]))]),
        Value::Array(vec![bulk("0"), Value::Array(vec![nested])]),
    ];
    for shape in shapes {
        let server = Told::alone([shape]);
        assert!(is_a_reply(&server.tenant().flush_tenant().await.unwrap_err()));
        assert_eq!(server.asked().len(), 2, "nothing after SCAN: {:?}", server.asked());
    }
}

#[tokio::test]
async fn flush_removes_each_page_before_the_next_and_counts_keys_once() -> RedisResult<()> {
    let keys = ["a", "b", "c"].map(|name| format!("{PREFIX_A}{name}"));
    let [a, b, c] = keys.each_ref().map(String::as_str);
    let server = Told::alone([
        page("7", &[a, b, a]),
        Value::Int(1),
        Value::Int(1),
        Value::Int(0),
        page("3", &[]),
        page("0", &[c]),
        Value::Int(1),
    ]);
    assert_eq!(server.tenant().flush_tenant().await?.keys(), 3);
    let scan = |cursor| format!("SCAN {cursor} MATCH {PREFIX_A}* COUNT 1000");
    let unlink = |key| format!("UNLINK {key}");
    let expected =
        ["INFO cluster".to_owned(), scan(0), unlink(a), unlink(b), unlink(a), scan(7), scan(3), unlink(c)];
    assert_eq!(server.asked(), expected);

    let server = Told::alone([
        page("7", &[a, b, a]),
        Value::Int(10),
        Value::Nil,
        page("0", &[a, b, c]),
        Value::Int(5),
    ]);
    let usage = server.tenant().usage().await?;
    assert_eq!((usage.keys(), usage.bytes()), (2, 15), "b ran out");
    Ok(())
}

#[tokio::test]
async fn flush_and_usage_stop_at_malformed_replies_and_errors() {
    let key = format!("{PREFIX_A}k");
    let moved = redis::parse_redis_value(b"-MOVED 1 10.0.0.1:6379\r\n").expect("an error");
    for reply in [Value::Int(2), Value::Int(-1), Value::Okay, Value::Nil, moved.clone()] {
        let server = Told::alone([page("7", &[&key]), reply]);
        assert!(server.tenant().flush_tenant().await.is_err());
        assert_eq!(server.asked().len(), 3);
    }
    for reply in [Value::Int(-1), Value::Okay, bulk("1"), moved.clone()] {
        let server = Told::alone([page("7", &[&key]), reply]);
        assert!(server.tenant().usage().await.is_err());
        assert_eq!(server.asked().len(), 3);
    }
    let server = Told::alone([page("7", &[&key, &key]), Value::Int(1)]);
    assert!(is_a_reply(&server.tenant().flush_tenant().await.unwrap_err()), "fewer replies than commands");
    let error = Told::alone([moved]).tenant().flush_tenant().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server(redis::ServerErrorKind::Moved));
}

/// One node of a cluster has only a part of the keys, and a proxy may answer for several nodes.
#[tokio::test]
async fn flush_and_usage_refuse_servers_that_may_be_part_of_a_cluster() {
    let info = |text: &str| bulk(&format!("# Cluster\r\n{text}\r\n"));
    let infos = [
        info("cluster_enabled:1"),
        info("cluster_enabled:01"),
        info("cluster_enabled:0x"),
        bulk(""),
        Value::Nil,
        Value::Map(vec![(bulk("10.0.0.1:6379"), info("cluster_enabled:0"))]),
        Value::Array(vec![info("cluster_enabled:0"), info("cluster_enabled:0")]),
    ];
    for info in infos {
        let server = Told::new([info.clone(), page("0", &[])]);
        let error = server.tenant().flush_tenant().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidClientConfig, "{info:?}");
        assert!(error.to_string().contains("ClusterConnection"), "{error}");
        assert_eq!(server.asked(), ["INFO cluster"]);
    }
    let error = redis::parse_redis_value(b"-NOPERM no\r\n").expect("an error");
    let server = Told::new([error, page("0", &[])]);
    assert!(server.tenant().usage().await.is_err());
    assert_eq!(server.asked(), ["INFO cluster"]);
}
