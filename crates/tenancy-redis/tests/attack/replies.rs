//! Texts of errors, and replies that contain keys.

use std::sync::LazyLock;

use redis::{Commands, RedisResult, Value};
use tenancy_redis::{TenantRedis, TrustedScripts, refusal};

use crate::show::show;
use crate::world::{A, CANARY, PREFIX_A, World, words};

/// Lines whose errors the server writes with a name of a key, or with arguments.
const FAILING: &[&str] = &[
    "INCR l",
    "INCR @k",
    "XREADGROUP GROUP none c STREAMS x >",
    "XREADGROUP GROUP none c STREAMS @x >",
    "XACK l g 1-1",
    "XGROUP CREATE x g 0",
    "XGROUP CREATECONSUMER x none c",
    "XINFO CONSUMERS x none",
    "XCLAIM x none c 0 1-1",
    "XAUTOCLAIM x none c 0 0",
    "XPENDING x none",
    "XSETID x 0-1",
    "XADD x 1-1 f v",
    "RENAME none k",
    "LSET none 0 x",
    "LINSERT k BEFORE x y",
    "OBJECT ENCODING k x",
    "SET k v EX 0",
    "SET k v BAD @k",
    "EXPIRE k 1 BAD",
    "ZADD z x m",
    "GEOADD geo 999 999 m",
    "SETRANGE k -1 x",
    "BITFIELD k GET u99 0",
    "HINCRBY h f 1",
    "SORT s",
    "COPY k k",
    "LMPOP 1 k LEFT",
    "ZMPOP 1 k MIN",
    "SINTERSTORE d k s",
    "ZUNIONSTORE d 1 k",
    "PFCOUNT k",
    "PFMERGE d k",
    "BITOP AND d l k",
    "LCS k l",
    "GEOSEARCHSTORE d k FROMMEMBER none BYRADIUS 1 m",
    "SMOVE k s m1",
    "GETEX k EX -1",
    "MEMORY USAGE k SAMPLES -1",
    "DUMP",
];

/// An error that the server names a key in shows the own name, alone and in a pipeline.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn errors_contain_no_prefix_and_no_canary() {
    let mut world = World::start();
    let before = world.outside();
    for resp in [2, 3] {
        for line in FAILING {
            world.reset();
            let mut a = TenantRedis::new(world.raw(resp), A);
            let alone = words(line).query::<Value>(&mut a).err().map(|error| format!("{error} {error:?}"));
            let mut pipeline = redis::pipe();
            pipeline.set("first", 1).add_command(words(line)).get("k");
            let beside = pipeline.query::<Value>(&mut a).err().map(|error| format!("{error} {error:?}"));
            pipeline.ignore_errors();
            let within = pipeline.query::<Vec<RedisResult<Value>>>(&mut a);
            match &within {
                Ok(replies) => assert_eq!(replies.len(), 3, "{line}"),
                Err(error) => assert!(refusal(error).is_some(), "{line}: {error}"),
            }
            let own: String = a.get("last").expect("a reply");
            assert_eq!(own, "own", "{line}");
            let within = Some(format!("{within:?}"));
            for text in [alone, beside, within].into_iter().flatten() {
                assert!(!text.contains(CANARY) && !text.contains(PREFIX_A), "{line}: {text}");
            }
            assert_eq!(world.outside(), before, "{line}");
        }
    }
}

/// Scripts with replies of each shape.
const SCRIPT_TEXTS: [&str; 6] = [
    "redis.setresp(3) return {map={a=KEYS[1]}}",
    "redis.setresp(3) return {set={a=true}}",
    "return {KEYS[1], {KEYS[2], {1, {}}}, false}",
    "return {ok=KEYS[1]}",
    "return {double=1.5}",
    "return nil",
];

/// Nested replies of scripts are of the script: names in them stay as they are, and the connection stays usable.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn script_replies_of_any_shape_are_returned_unchanged() {
    static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new(SCRIPT_TEXTS));
    let world = World::start();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(world.raw(resp), A).scripts(&SCRIPTS);
        for text in SCRIPT_TEXTS {
            let reply: Value =
                redis::cmd("EVAL").arg(text).arg(2).arg("k").arg("@k").query(&mut a).expect("a reply");
            assert!(!show(&reply).contains(CANARY));
            assert_eq!(a.get::<_, String>("k").expect("a reply"), "own", "{text}");
        }
    }
}

/// The debug output of a handle that was used contains no key and no value.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn debug_output_contains_no_key_and_no_value() {
    let world = World::start();
    let mut a = TenantRedis::new(world.raw(3), A);
    let () = a.set("private-name", "private-value").expect("a reply");
    let shown = format!("{a:?} {a:#?}");
    assert!(!shown.contains("private"), "{shown}");
}
