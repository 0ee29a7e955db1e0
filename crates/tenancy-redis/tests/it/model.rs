//! A handle that is reused answers as a new handle would.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncCommands, Cmd, RedisResult, Value};
use tenancy_redis::{RedisPolicy, TenantRedis, TrustedScripts};

use crate::support::aio::multiplexed;
use crate::support::{A, B, PREFIX_A, Server, command, pick};

const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";

static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([ADD]));

/// The first key is longer than any prefix, so its end can be taken for another key.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn namespace_after_use_changes_only_its_own_keys() -> RedisResult<()> {
    let server = Server::start();
    let mut a = TenantRedis::new(multiplexed(&server.client(2)).await?, A);
    let () = a.set("user:1234567890", "kept").await?;
    let mut cache = a.namespace("cache");
    assert_eq!(cache.del::<_, u64>("234567890").await?, 0);
    let () = cache.set("k", "cached").await?;
    let expected = ["cache:k", "user:1234567890"].map(|key| format!("{PREFIX_A}{key}").into_bytes());
    assert_eq!(server.keys(), expected);
    Ok(())
}

/// A builder call.
#[derive(Clone, Copy, Debug)]
enum Change {
    Namespace(&'static str),
    Policy(RedisPolicy),
    Scripts,
}

impl Change {
    fn apply<C>(self, redis: TenantRedis<C>) -> TenantRedis<C> {
        match self {
            Self::Namespace(name) => redis.namespace(name),
            Self::Policy(policy) => redis.policy(policy),
            Self::Scripts => redis.scripts(&SCRIPTS),
        }
    }
}

/// A handle that is used for several commands, and the builder calls that it has had.
struct Reused {
    handle: TenantRedis<MultiplexedConnection>,
    is_dedicated: bool,
    changes: Vec<Change>,
}

impl Reused {
    /// Returns a handle on another connection that has had the same builder calls and no command.
    fn renewed(&self, connection: &MultiplexedConnection) -> TenantRedis<MultiplexedConnection> {
        let new = if self.is_dedicated { TenantRedis::dedicated } else { TenantRedis::new };
        let handle = new(connection.clone(), self.handle.tenant());
        self.changes.iter().fold(handle, |handle, change| change.apply(handle))
    }

    fn changed(self, change: Change) -> Self {
        let mut changes = self.changes;
        changes.push(change);
        Self { handle: change.apply(self.handle), changes, ..self }
    }

    fn namespaces(&self) -> usize {
        self.changes.iter().filter(|change| matches!(change, Change::Namespace(_))).count()
    }
}

/// Two servers: one for handles that are reused, one for new handles.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn reused_handle_answers_as_a_new_one() -> RedisResult<()> {
    let servers = [Server::start(), Server::start()];
    let reused = multiplexed(&servers[0].client(2)).await?;
    let fresh = multiplexed(&servers[1].client(2)).await?;
    let mut rng = fastrand::Rng::with_seed(11);
    for walk in 0..60 {
        let is_dedicated = rng.bool();
        let new = if is_dedicated { TenantRedis::dedicated } else { TenantRedis::new };
        let tenant = *pick(&mut rng, &[&A, &B]);
        let mut handles = vec![Reused { handle: new(reused.clone(), tenant), is_dedicated, changes: vec![] }];
        for step in 0..60 {
            let at = rng.usize(..handles.len());
            match rng.u8(..10) {
                0 if handles.len() < 4 => {
                    let Reused { handle, is_dedicated, changes } = &handles[at];
                    let (handle, changes) = (handle.clone(), changes.clone());
                    handles.push(Reused { handle, is_dedicated: *is_dedicated, changes });
                }
                1 | 2 => {
                    let handle = handles.swap_remove(at);
                    let change = change(&mut rng, handle.namespaces() < 2);
                    handles.push(handle.changed(change));
                }
                3 => {
                    let mut pipeline = redis::pipe();
                    if rng.bool() {
                        pipeline.atomic();
                    }
                    for _ in 0..rng.usize(1..5) {
                        pipeline.add_command(random(&mut rng));
                    }
                    let mut new = handles[at].renewed(&fresh);
                    let expected: RedisResult<Value> = pipeline.query_async(&mut new).await;
                    let found: RedisResult<Value> = pipeline.query_async(&mut handles[at].handle).await;
                    assert_eq!(found, expected, "walk {walk}, step {step}: {:?}", handles[at].changes);
                }
                _ => {
                    let cmd = random(&mut rng);
                    let expected = handles[at].renewed(&fresh).req_packed_command(&cmd).await;
                    let found = handles[at].handle.req_packed_command(&cmd).await;
                    assert_eq!(found, expected, "walk {walk}, step {step}: {:?}", handles[at].changes);
                }
            }
        }
        let [found, expected] = servers.each_ref().map(|server| server.dump(""));
        assert_eq!(found, expected, "walk {walk}");
    }
    assert!(servers[0].keys().len() > 20, "{}", servers[0].keys().len());
    Ok(())
}

fn change(rng: &mut fastrand::Rng, may_nest: bool) -> Change {
    const POLICIES: [RedisPolicy; 4] = [
        RedisPolicy::new(),
        RedisPolicy::new().default_ttl(Duration::from_secs(3600)),
        RedisPolicy::new().max_ttl(Duration::from_secs(7200)),
        RedisPolicy::new().max_value_len(12).max_args(4),
    ];
    match rng.u8(..6) {
        0..3 if may_nest => Change::Namespace(pick(rng, &["cache", "c", "a-name-of-thirty-two-characters_"])),
        3 => Change::Scripts,
        _ => Change::Policy(*pick(rng, &POLICIES.each_ref())),
    }
}

/// Returns a command whose key may be part of another's, or may be larger than the memory that a handle keeps.
fn random(rng: &mut fastrand::Rng) -> Cmd {
    let long = "k".repeat(100_000);
    let keys = ["", "k", "user:1234567890", "234567890", "7890", "cache:k", "c:k", "he:k", &long];
    let mut key = || (*pick(rng, &keys)).to_owned();
    let (first, second) = (key(), key());
    let commands = [
        "GET 1",
        "SET 1 2",
        "SET 1 2",
        "SET 1 2 EX 100",
        "SET 1 2 EX 9999",
        "DEL 1 2",
        "RENAME 1 2",
        "MGET 1 2",
        "MSET 1 a 2 b",
        "APPEND 1 x",
        "SORT 1 BY 2 GET #",
        "COPY 1 2",
        "EXISTS 1 2",
        "STRLEN 1",
        "FLUSHALL",
        "GET",
        "ZUNION 2 1",
        "ZADD 1 5 2",
        "SORT 1 STORE 2 BY",
        "RPUSH 1 a b c",
        "LPOP 1",
        "BLPOP 1 2 x",
    ];
    let line = pick(rng, &commands);
    if line == "FLUSHALL" && rng.bool() {
        let mut script = redis::cmd("EVAL");
        script.arg(ADD).arg(1).arg(first).arg(1);
        return script;
    }
    let mut cmd = Cmd::new();
    for word in line.split(' ') {
        let word = if word == "1" {
            &first
        } else if word == "2" {
            &second
        } else {
            word
        };
        cmd.arg(word);
    }
    cmd
}

/// redis-rs packs a sync pipeline before a handle sees it.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn sync_handle_changes_its_namespace_after_use() -> RedisResult<()> {
    let server = Server::start();
    let mut a = server.tenant(A);
    let set = command("SET user:1234567890 kept");
    let () = redis::pipe().add_command(set.clone()).add_command(set).query(&mut a)?;
    let mut cache = a.namespace("cache");
    let (removed, there): (u64, u64) =
        redis::pipe().atomic().del("234567890").exists("user:1234567890").query(&mut cache)?;
    assert_eq!((removed, there, server.keys().len()), (0, 0, 1));
    Ok(())
}
