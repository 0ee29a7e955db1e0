//! A tenant's commands and keys in a cluster of three masters.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncCommands, Client, Cmd, Commands, Connection, ErrorKind, Pipeline, ProtocolVersion, RedisFuture,
    RedisResult, Script, ServerErrorKind, Value,
};
use tenancy_redis::{Refusal, TenantRedis, TrustedScripts, refusal};
use tenancy_testkit::{ClusterNode, RedisCluster};

use crate::support::aio::{PATIENCE, multiplexed};
use crate::support::{A, B, PREFIX_A, PREFIX_B, ask, command, dump_all};

const CROSS_SLOT: ErrorKind = ErrorKind::Server(ServerErrorKind::CrossSlot);

fn start() -> RedisCluster {
    RedisCluster::start().expect("a cluster")
}

/// Returns a client that speaks RESP2 or RESP3.
fn client(cluster: &RedisCluster, resp: u8) -> ClusterClient {
    let protocol = if resp == 2 { ProtocolVersion::RESP2 } else { ProtocolVersion::RESP3 };
    let builder = ClusterClientBuilder::new([cluster.nodes()[0].url()]).use_protocol(protocol);
    builder.connection_timeout(PATIENCE).build().expect("a client")
}

/// Returns a connection to one node alone, without a tenant.
fn connection_to(node: &ClusterNode) -> Connection {
    Client::open(node.url()).expect("a valid URL").get_connection().expect("a connection")
}

/// Returns the slot of a key.
fn slot(cluster: &RedisCluster, key: &str) -> u16 {
    ask(&mut connection_to(&cluster.nodes()[0]), &format!("CLUSTER KEYSLOT {key}"))
}

/// Returns the keys of each master that begin with `prefix`, with their values.
fn dump(cluster: &RedisCluster, prefix: &str) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let own = |node: &ClusterNode| {
        let all = dump_all(&mut connection_to(node)).into_iter();
        let own = all.filter(|(key, _)| key.starts_with(prefix.as_bytes()));
        own.map(|(key, (value, _))| (key, value)).collect()
    };
    cluster.nodes().iter().map(own).collect()
}

async fn connect(cluster: &RedisCluster, resp: u8) -> ClusterConnection {
    client(cluster, resp).get_async_connection().await.expect("a connection")
}

/// Returns names, most of them in different slots.
fn names(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("k{number}")).collect()
}

fn pairs(names: &[String], of: &str) -> Vec<(String, String)> {
    names.iter().map(|name| (name.clone(), format!("{name} of {of}"))).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn commands_reach_one_key_and_many_slots() -> RedisResult<()> {
    let cluster = start();
    let names = names(200);
    for resp in [2, 3] {
        let shared = connect(&cluster, resp).await;
        let (mut a, mut b) = (TenantRedis::new(shared.clone(), A), TenantRedis::new(shared, B));
        let () = a.mset(&pairs(&names, "A")).await?;
        let () = b.mset(&pairs(&names, "B")).await?;
        assert!(dump(&cluster, PREFIX_A).iter().all(|keys| keys.len() > 20), "each master has keys");
        assert_eq!(a.get::<_, String>("k7").await?, "k7 of A");
        let expected: Vec<_> = pairs(&names, "A").into_iter().map(|(_, value)| value).collect();
        assert_eq!(a.mget::<_, Vec<String>>(&names).await?, expected, "each in its place");
        assert_eq!(sorted(a.keys("*").await?), sorted(names.clone()), "only own keys, of all masters");
        assert_eq!(sorted(a.keys("k1[0-9]").await?).len(), 10);

        let before = dump(&cluster, PREFIX_B);
        assert_eq!(a.exists::<_, usize>(&names).await?, 200);
        assert_eq!(a.del::<_, usize>(&names[..100]).await?, 100);
        assert_eq!(a.unlink::<_, usize>(&names).await?, 100);
        assert_eq!(a.keys::<_, Vec<String>>("*").await?, Vec::<String>::new());
        assert_eq!(dump(&cluster, PREFIX_B), before);
    }
    Ok(())
}

/// The tenant's prefix contains no brace, so hash tags choose the slot as they do without a tenant.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn hash_tags_and_pipelines_behave_as_without_a_tenant() -> RedisResult<()> {
    let cluster = start();
    assert_eq!(slot(&cluster, &format!("{PREFIX_A}{{x}}a")), slot(&cluster, "x"));
    for resp in [2, 3] {
        let mut raw = connect(&cluster, resp).await;
        let (mut a, mut b) = (TenantRedis::new(raw.clone(), A), TenantRedis::new(raw.clone(), B));
        let () = b.set("{x}a", "b").await?;
        for line in ["MSETNX {x}a 1 {x}b 2", "RENAME {x}a {x}c", "COPY {x}c {x}d", "SADD {x}s 1 2"] {
            let () = command(line).query_async(&mut a).await?;
        }
        let stored: u8 = command("SUNIONSTORE {x}t {x}s {x}s").query_async(&mut a).await?;
        assert_eq!(stored, 2);
        let own = ["{x}b", "{x}c", "{x}d", "{x}s", "{x}t"].map(str::to_owned);
        assert_eq!(sorted(a.keys("*").await?), own);
        assert_eq!(b.get::<_, String>("{x}a").await?, "b");

        for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
            pipeline.set("{x}a", 7).ignore().get("{x}a").incr("{x}c", 1);
            let got: (u8, u8) = pipeline.query_async(&mut a).await?;
            assert_eq!(got, (7, if pipeline.is_transaction() { 3 } else { 2 }));
        }
        is_as_raw(&mut a, &mut raw).await;
        assert_eq!(a.flush_tenant().await?.keys(), 6);
    }
    Ok(())
}

/// Asserts that replies and errors equal those of the bare connection.
async fn is_as_raw(tenant: &mut TenantRedis<ClusterConnection>, raw: &mut ClusterConnection) {
    let mut pipelines = vec![redis::pipe(); 6];
    pipelines[0].get("{y}a").get("{y}b");
    pipelines[1].get("{y}a").get("{z}a");
    pipelines[2].atomic().get("{y}a").get("{z}a");
    pipelines[3].ping().get("{y}a").cmd("ECHO").arg("x");
    pipelines[4].ping().ping();
    pipelines[5].atomic().lpush("{y}l", 1).incr("{y}l", 1).del("{y}l");
    for pipeline in &pipelines {
        let expected = pipeline.query_async::<Value>(raw).await;
        assert_eq!(pipeline.query_async::<Value>(tenant).await, expected, "{pipeline:?}");
    }
    for line in ["MSETNX {y}a 1 {z}b 2", "RENAME {y}a {z}b", "SINTER {y}a {z}b"] {
        let error = command(line).query_async::<Value>(tenant).await.unwrap_err();
        assert_eq!(error.kind(), CROSS_SLOT, "{line}");
        assert_eq!(error, command(line).query_async::<Value>(raw).await.unwrap_err());
    }
    let error = pipelines[1].query_async::<Value>(tenant).await.unwrap_err();
    assert_eq!(error.kind(), CROSS_SLOT);
}

const APPEND: &str = "return redis.call('APPEND', KEYS[1], ARGV[1])";
static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([APPEND]));

/// A script that a master lacks is loaded on all masters. A message reaches the listeners of every master.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn scripts_run_and_messages_arrive_on_every_master() -> RedisResult<()> {
    let cluster = start();
    for resp in [2, 3] {
        let shared = connect(&cluster, resp).await;
        let mut a = TenantRedis::new(shared.clone(), A).scripts(&SCRIPTS);
        for master in cluster.nodes() {
            let () = ask(&mut connection_to(master), "SCRIPT FLUSH");
        }
        for name in names(20) {
            assert_eq!(Script::new(APPEND).key(&name).arg("abc").invoke_async::<u8>(&mut a).await?, 3);
        }
        assert!(dump(&cluster, PREFIX_A).iter().all(|keys| keys.len() > 1), "it ran on each master");
        let mut untrusting = TenantRedis::new(shared, A);
        let error =
            Script::new(APPEND).key("k").arg("v").invoke_async::<u8>(&mut untrusting).await.unwrap_err();
        assert_eq!(refusal(&error), Some(Refusal::UntrustedScript));
        assert_eq!(a.flush_tenant().await?.keys(), 20);

        for master in cluster.nodes() {
            let mut raw = connection_to(master);
            raw.set_read_timeout(Some(Duration::from_secs(30)))?;
            let mut listener = raw.as_pubsub();
            listener.subscribe(&[format!("{PREFIX_A}news"), "news".to_owned(), format!("{PREFIX_B}news")])?;
            let _: usize = a.publish("news", "x").await?;
            let message = listener.get_message()?;
            assert_eq!(message.get_channel_name(), format!("{PREFIX_A}news"));
        }
    }
    Ok(())
}

/// A connection type of a user, which does not show that it is a cluster.
struct Wrapped(ClusterConnection);

impl ConnectionLike for Wrapped {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_and_usage_cover_every_master() -> RedisResult<()> {
    let cluster = start();
    let own = names(3000);
    for resp in [2, 3] {
        let shared = connect(&cluster, resp).await;
        let (mut a, mut b) = (TenantRedis::new(shared.clone(), A), TenantRedis::new(shared.clone(), B));
        for part in own.chunks(500) {
            let () = a.mset(&pairs(part, "A")).await?;
            let () = b.mset(&pairs(part, "B")).await?;
        }
        let () = a.clone().namespace("cache").set("k", "v").await?;
        let () = b.set(format!("{PREFIX_A}k"), "v").await?;
        let (before, others) = (dump(&cluster, PREFIX_A), dump(&cluster, PREFIX_B));
        assert!(before.iter().all(|keys| keys.len() > 500), "each master has keys");

        let one = multiplexed(&Client::open(cluster.nodes()[0].url())?).await?;
        let errors = [
            TenantRedis::new(one.clone(), A).flush_tenant().await.unwrap_err(),
            TenantRedis::new(one, A).usage().await.unwrap_err(),
            TenantRedis::new(Wrapped(shared.clone()), A).flush_tenant().await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidClientConfig), "{errors:?}");
        assert_eq!(dump(&cluster, PREFIX_A), before);

        let usage = a.usage().await?;
        assert_eq!((usage.keys(), usage.bytes()), (3001, bytes(&cluster, PREFIX_A)));
        assert_eq!(a.clone().namespace("cache").flush_tenant().await?.keys(), 1);
        let report = a.flush_tenant().await?;
        assert_eq!((report.keys(), report.masters()), (3000, 3));
        assert!(dump(&cluster, PREFIX_A).iter().all(Vec::is_empty));
        assert_eq!(dump(&cluster, PREFIX_B), others);
    }
    Ok(())
}

/// Returns the memory that the masters report for the keys with a prefix.
fn bytes(cluster: &RedisCluster, prefix: &str) -> u64 {
    let mut sum = 0;
    for (master, keys) in cluster.nodes().iter().zip(dump(cluster, prefix)) {
        let mut raw = connection_to(master);
        for (key, _) in keys {
            sum += redis::cmd("MEMORY").arg("USAGE").arg(key).query::<u64>(&mut raw).expect("a size");
        }
    }
    sum
}

/// redis-rs learns about masters only by errors.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_covers_a_master_unknown_to_the_connection() -> RedisResult<()> {
    let mut cluster = start();
    let (mut a, mut later) =
        (TenantRedis::new(connect(&cluster, 2).await, A), TenantRedis::new(connect(&cluster, 3).await, A));
    let key = format!("{PREFIX_A}{{moved}}k");
    cluster.add_node_with_slot(slot(&cluster, &key)).expect("a new node");
    let set = || ask::<()>(&mut connection_to(&cluster.nodes()[3]), &format!("SET {key} v"));
    set();
    assert_eq!(later.usage().await?.keys(), 1);
    let report = a.flush_tenant().await?;
    assert_eq!((report.keys(), report.masters()), (1, 4));
    assert!(dump(&cluster, PREFIX_A).iter().all(Vec::is_empty));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn sync_connections_keep_tenants_apart() -> RedisResult<()> {
    let cluster = start();
    let names = names(200);
    for resp in [2, 3] {
        let connect = || client(&cluster, resp).get_connection();
        let (mut raw, mut a) = (connect()?, TenantRedis::new(connect()?, A).scripts(&SCRIPTS));
        let mut b = TenantRedis::new(connect()?, B);
        let () = a.mset(&pairs(&names, "A"))?;
        let () = b.mset(&pairs(&names, "B"))?;
        let before = dump(&cluster, PREFIX_B);
        let expected: Vec<_> = pairs(&names, "A").into_iter().map(|(_, value)| value).collect();
        assert_eq!(a.mget::<_, Vec<String>>(&names)?, expected);
        assert_eq!(sorted(a.keys("*")?), sorted(names.clone()));
        assert_eq!(Script::new(APPEND).key("k").arg("abc").invoke::<u8>(&mut a)?, 3);
        assert_eq!(ask::<u8>(&mut a, "MSETNX {x}a 1 {x}b 2"), 1);
        let () = ask(&mut a, "RENAME {x}a {x}b");
        assert_eq!(a.get::<_, u8>("{x}b")?, 1);
        assert_eq!(a.unlink::<_, usize>(&names)?, 200);
        assert_eq!(a.del::<_, usize>(&["{x}b", "k"])?, 2);
        // Refused by redis-rs, with and without a tenant.
        for line in ["RENAME {x}a {y}b", "SCAN 0"] {
            let expected = command(line).exec(&mut raw).unwrap_err();
            assert_eq!(command(line).exec(&mut a).unwrap_err(), expected, "{line}");
        }
        let pipeline = redis::pipe().get("k").clone();
        assert_eq!(pipeline.exec(&mut a).unwrap_err(), pipeline.exec(&mut raw).unwrap_err());
        assert!(dump(&cluster, PREFIX_A).iter().all(Vec::is_empty));
        assert_eq!(dump(&cluster, PREFIX_B), before);
    }
    Ok(())
}

/// A connection to several nodes that returns the reply of each node.
struct ByNode;

impl ConnectionLike for ByNode {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let key = Value::BulkString(format!("{PREFIX_B}secret").into_bytes());
        let address = Value::BulkString(b"10.0.0.1:6379".to_vec());
        Box::pin(async { Ok(Value::Map(vec![(address, Value::Array(vec![key]))])) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn rejects_replies_grouped_by_node() {
    let error = TenantRedis::new(ByNode, A).keys::<_, Value>("*").await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Reply));
}
