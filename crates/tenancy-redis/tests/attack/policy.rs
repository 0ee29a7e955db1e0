//! Ways around a policy that limits the time to live.

use std::time::Duration;

use redis::Value;
use tenancy_redis::{RedisPolicy, TenantRedis};

use crate::world::{A, PREFIX_A, World, words};

const MAXIMUM: Duration = Duration::from_secs(3600);

/// Commands that could create a key without a time to live, take it away, or make it longer.
const EVASIONS: &[&str] = &[
    "SET new v",
    "SET new v EX 99999",
    "SET new v PX 99999999",
    "SET new v EXAT 99999999999",
    "SET new v PXAT 99999999999999",
    "SET new v KEEPTTL",
    "SET t v KEEPTTL",
    "SET new v EX 10 KEEPTTL",
    "SET new v EX 10 EX 99999",
    "SET new v NX GET",
    "SET t v IFEQ own",
    "SET t v IFEQ own KEEPTTL",
    "SETEX new 99999 v",
    "PSETEX new 99999999 v",
    "SETEX new 9223372036854775807 v",
    "SETNX new v",
    "GETSET t v",
    "GETSET new v",
    "GETEX t PERSIST",
    "GETEX t EX 99999",
    "GETEX t EXAT 99999999999",
    "PERSIST t",
    "EXPIRE t 99999",
    "EXPIRE t 99999 GT",
    "PEXPIRE t 99999999",
    "EXPIREAT t 99999999999",
    "PEXPIREAT t 99999999999999 XX",
    "APPEND new v",
    "APPEND t v",
    "INCR new",
    "INCRBYFLOAT new 1.5",
    "DECRBY new 1",
    "INCREX new BYINT 1",
    "SETRANGE new 5 v",
    "SETBIT new 5 1",
    "BITFIELD new SET u8 0 1",
    "BITOP NOT new t",
    "MSET new v t v",
    "MSETNX new v",
    "MSETEX 1 new v",
    "MSETEX 1 t v KEEPTTL",
    "MSETEX 1 new v EX 99999",
    "MSETEX 1 new v EXAT 99999999999",
    "HSET new f v",
    "HSETNX new f v",
    "HMSET new f v",
    "HINCRBY new f 1",
    "HSETEX new EX 10 FIELDS 1 f v",
    "LPUSH new v",
    "RPUSH new v",
    "LMOVE tl new LEFT LEFT",
    "RPOPLPUSH tl new",
    "SADD new v",
    "SMOVE ts new m",
    "SUNIONSTORE new ts",
    "SDIFFSTORE new ts none",
    "ZADD new 1 m",
    "ZINCRBY new 1 m",
    "ZRANGESTORE new tz 0 -1",
    "ZUNIONSTORE new 1 tz",
    "GEOADD new 0 0 m",
    "GEORADIUS tgeo 0 0 9 km STORE new",
    "GEOSEARCHSTORE new tgeo FROMLONLAT 0 0 BYRADIUS 9 km",
    "SORT tl STORE new",
    "PFADD new v",
    "PFMERGE new none",
    "XADD new 1-1 f v",
    "XGROUP CREATE new g 0 MKSTREAM",
    "COPY t new",
    "RENAME t new",
    "RENAME ts tl",
    "VADD new VALUES 2 1 1 e",
    "JSON.SET new $ 1",
    "BF.ADD new v",
    "TS.ADD new * 1",
    "RESTORE new 0 x",
];

/// Whatever is accepted, no key of the tenant lives for ever, or longer than the policy allows.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn no_command_leaves_a_key_that_lives_too_long() {
    let mut world = World::start();
    let now: (i64, i64) = redis::cmd("TIME").query(&mut world.raw(2)).expect("a time");
    let latest = (now.0 + 3600 + 600) * 1000;
    let mut survivors = Vec::new();
    for is_transaction in [false, true] {
        for line in EVASIONS {
            world.ask("FLUSHALL");
            for line in ["SET t own", "RPUSH tl 1 2", "SADD ts m o", "ZADD tz 1 m", "GEOADD tgeo 0 0 m"] {
                let mut words = line.split(' ');
                let (name, key) = (words.next().expect("a name"), words.next().expect("a key"));
                let rest: Vec<_> = words.collect();
                world.ask(&format!("{name} {PREFIX_A}{key} {}", rest.join(" ")));
                world.ask(&format!("EXPIRE {PREFIX_A}{key} 60"));
            }
            let policy = RedisPolicy::new().max_ttl(MAXIMUM).require_ttl();
            let mut a = TenantRedis::new(world.raw(2), A).policy(policy);
            let _ = if is_transaction {
                redis::pipe().atomic().add_command(words(line)).query::<Value>(&mut a)
            } else {
                words(line).query::<Value>(&mut a)
            };
            for ((_, key), (_, expiry)) in world.own() {
                if expiry < 0 || expiry > latest {
                    survivors.push(format!("{line}: {} lives until {expiry}", key.escape_ascii()));
                }
            }
        }
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

/// The limits on sizes hold for each argument, in each way of sending.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn no_command_has_a_large_argument_or_too_many() {
    let mut world = World::start();
    let policy = RedisPolicy::new().max_value_len(16).max_args(4);
    let mut a = TenantRedis::new(world.raw(2), A).policy(policy);
    let large = "x".repeat(17);
    let mut cases = Vec::new();
    for line in [
        "SET k #",
        "GET #",
        "SET # v",
        "HSET h # v",
        "APPEND k #",
        "KEYS #",
        "SCAN 0 MATCH #",
        "PUBLISH c #",
        "ECHO #",
        "SORT l BY #",
    ] {
        cases.push((line.replace('#', &large), tenancy_redis::Refusal::TooLarge));
        cases.push((
            format!("{} a b c d e", line.replace('#', "x")),
            tenancy_redis::Refusal::TooManyArguments,
        ));
    }
    let own = world.own();
    for (line, expected) in cases {
        let sent = world.processed();
        for error in [
            words(&line).query::<Value>(&mut a).expect_err(&line),
            redis::pipe().get("k").add_command(words(&line)).exec(&mut a).expect_err(&line),
            redis::pipe().atomic().add_command(words(&line)).exec(&mut a).expect_err(&line),
        ] {
            let refusal = tenancy_redis::refusal(&error);
            // A shape that no server accepts may be refused for that reason first.
            assert!(
                [Some(expected), Some(tenancy_redis::Refusal::BadArguments)].contains(&refusal),
                "{line}: {error}"
            );
        }
        assert_eq!(world.sent_since(sent), 0, "{line}");
    }
    assert_eq!(world.own(), own);
}
