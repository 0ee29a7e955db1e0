//! Namespaces, trusted scripts and policies on a real server.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Commands, ConnectionLike, RedisResult, Script, Value};
use tenancy_redis::{RedisPolicy, Refusal, TrustedScripts, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, command};

const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const READ: &str = "return redis.call('GET', KEYS[1])";
/// A script that reads a key it does not declare.
const STRAY: &str = "return redis.call('GET', ARGV[1])";

static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([ADD, READ]));

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn namespace_is_separate_from_the_tenants_other_keys() -> RedisResult<()> {
    let server = Server::start();
    let (mut whole, mut b) = (server.tenant(A), server.tenant(B).namespace("cache"));
    let mut cache = server.tenant(A).namespace("cache");
    let () = whole.set("k", "whole")?;
    let () = cache.set("k", "cache")?;
    let () = b.set("k", "b")?;
    assert_eq!(cache.get::<_, String>("k")?, "cache");
    assert_eq!(whole.get::<_, String>("k")?, "whole");
    assert_eq!(cache.keys::<_, Vec<String>>("*")?, ["k"]);
    assert_eq!(whole.get::<_, String>("cache:k")?, "cache", "it is the tenant's");
    let expected = ["cache:k", "k"].map(|key| format!("{PREFIX_A}{key}").into_bytes());
    assert_eq!(server.keys()[..2], expected);
    assert_eq!(server.keys()[2], format!("{PREFIX_B}cache:k").into_bytes());
    Ok(())
}

/// redis-rs sends `EVALSHA`, and after `NOSCRIPT`, `SCRIPT LOAD` and `EVALSHA` again.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn trusted_script_runs_in_its_tenant() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A).scripts(&SCRIPTS), server.tenant(B).scripts(&SCRIPTS));
    let (add, read) = (Script::new(ADD), Script::new(READ));
    let error = redis::cmd("EVALSHA").arg(add.get_hash()).arg(1).arg("n").arg(1).exec(&mut a).unwrap_err();
    assert_eq!((error.code(), refusal(&error)), (Some("NOSCRIPT"), None));
    assert_eq!(add.key("n").arg(2).invoke::<u64>(&mut a)?, 2);
    assert_eq!(add.key("n").arg(40).invoke::<u64>(&mut b)?, 40);
    let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut server.raw())?;
    assert_eq!(add.key("n").arg(1).invoke::<u64>(&mut a)?, 3, "loaded again");
    assert_eq!(read.key("n").invoke::<String>(&mut b)?, "40");
    let foreign = format!("{PREFIX_B}n");
    assert_eq!(read.key(foreign).invoke::<Option<String>>(&mut a)?, None);
    let mut pipeline = redis::pipe();
    pipeline.atomic().cmd("EVAL").arg(READ).arg(1).arg("n").get("n");
    assert_eq!(pipeline.query::<(String, u64)>(&mut a)?, ("3".to_owned(), 3));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_untrusted_scripts() -> RedisResult<()> {
    let server = Server::start();
    let mut a = server.tenant(A).scripts(&SCRIPTS);
    let () = server.tenant(B).set("k", "b")?;
    let stray = Script::new(STRAY);
    // Another program may have loaded the script.
    let () = redis::cmd("SCRIPT").arg("LOAD").arg(STRAY).query(&mut server.raw())?;
    let foreign = format!("{PREFIX_B}k");
    let error = stray.arg(&foreign).invoke::<Value>(&mut a).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::UntrustedScript));
    for (name, code) in [("EVAL", STRAY), ("EVAL_RO", STRAY), ("EVALSHA_RO", stray.get_hash())] {
        let error = redis::cmd(name).arg(code).arg(0).arg(&foreign).query::<Value>(&mut a).unwrap_err();
        assert_eq!(refusal(&error), Some(Refusal::UntrustedScript), "{name}");
    }
    // Without trusted scripts, no script runs.
    let error = Script::new(ADD).key("n").arg(1).invoke::<Value>(&mut server.tenant(A)).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::UntrustedScript));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn policy_limits_expiry() -> RedisResult<()> {
    let server = Server::start();
    let policy = RedisPolicy::new().default_ttl(Duration::from_mins(1)).max_ttl(Duration::from_mins(10));
    let mut a = server.tenant(A).policy(policy);
    let () = a.set("k", 1)?;
    lives(&mut a, 50_000, 60_000);
    let () = a.set_ex("k", 1, 500)?;
    lives(&mut a, 490_000, 500_000);
    let () = redis::pipe().atomic().set("k", 2).query(&mut a)?;
    lives(&mut a, 50_000, 60_000);
    for line in ["SET k v EX 601", "EXPIRE k 601", "PERSIST k", "INCR k", "HSET h f v", "SET k v KEEPTTL"] {
        let error = command(line).query::<Value>(&mut a).unwrap_err();
        assert!(
            matches!(refusal(&error), Some(Refusal::TtlRequired | Refusal::TtlTooLong)),
            "{line}: {error}"
        );
    }
    lives(&mut a, 50_000, 60_000);
    assert_eq!(server.keys().len(), 1);
    Ok(())
}

/// Asserts the remaining time to live of `k`, in milliseconds.
fn lives(a: &mut dyn ConnectionLike, from: u64, to: u64) {
    let left: u64 = ask(a, "PTTL k");
    assert!((from..=to).contains(&left), "{left} ms");
}
