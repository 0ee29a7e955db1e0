//! What is sent for a command.

use std::time::Duration;

use tenancy::TenantId;

use super::{Sharing, TenantScope, rewrite_arguments};
use crate::packed::Packed;
use crate::policy::RedisPolicy;
use crate::refusal::Refusal;
#[cfg(feature = "tokio")]
use crate::reply::Reply;
use crate::scripts::TrustedScripts;
use crate::writer::PackedBuffer;
#[cfg(feature = "tokio")]
use crate::writer::{CmdBuffer, PipelineBuffer};

/// What is sent for a command of one tenant, with `P:` for its prefix.
fn sent(command: &str) -> Result<String, Refusal> {
    sent_in(Sharing::Shared, command)
}

fn sent_in(sharing: Sharing, command: &str) -> Result<String, Refusal> {
    let scope = TenantScope::new(TenantId::PLATFORM, sharing);
    sent_within(&scope, command)
}

fn sent_within(scope: &TenantScope, command: &str) -> Result<String, Refusal> {
    let arguments: Vec<_> = command.split(' ').map(str::as_bytes).collect();
    let mut buffer = PackedBuffer::default();
    let reply = rewrite_arguments(arguments.clone().into_iter(), scope, &mut buffer)?;
    #[cfg(feature = "tokio")]
    assert_same_bytes(&arguments, scope, (reply, buffer.as_bytes()));
    let arguments = Packed::only(buffer.as_bytes())?;
    let words: Vec<_> = arguments.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    Ok(words.join(" ").replace("t:00000000000000000000000000000001:", "P:"))
}

/// Asserts that async connections get the same bytes as sync ones, alone and in a pipeline.
#[cfg(feature = "tokio")]
fn assert_same_bytes(arguments: &[&[u8]], scope: &TenantScope, (reply, sent): (Reply, &[u8])) {
    let mut alone = CmdBuffer::default();
    let mut pipeline = PipelineBuffer::with_capacity(1);
    for _ in 0..2 {
        assert_eq!(rewrite_arguments(arguments.iter().copied(), scope, &mut alone), Ok(reply));
        assert_eq!(rewrite_arguments(arguments.iter().copied(), scope, &mut pipeline), Ok(reply));
    }
    assert_eq!(alone.cmd.get_packed_command(), sent);
    assert_eq!(pipeline.pipeline.get_packed_pipeline(), [sent, sent].concat());
}

#[test]
fn keys_are_prefixed_and_nothing_else_is() {
    for (command, expected) in [
        ("get k", "get P:k"),
        ("SET k v EX 1", "SET P:k v EX 1"),
        ("MSET a 1 b 2", "MSET P:a 1 P:b 2"),
        ("DEL a b c", "DEL P:a P:b P:c"),
        ("RENAME a b", "RENAME P:a P:b"),
        ("BITOP AND d a b", "BITOP AND P:d P:a P:b"),
        ("LCS a b LEN", "LCS P:a P:b LEN"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "ZUNIONSTORE P:d 2 P:a P:b WEIGHTS 1 2"),
        ("LMPOP 2 a b LEFT", "LMPOP 2 P:a P:b LEFT"),
        ("OBJECT ENCODING k", "OBJECT ENCODING P:k"),
        ("XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE P:s g $ MKSTREAM"),
        ("KEYS *", "KEYS P:*"),
        ("PUBLISH c m", "PUBLISH P:c m"),
        ("PING", "PING"),
        ("ECHO k", "ECHO k"),
    ] {
        assert_eq!(sent(command).as_deref(), Ok(expected));
    }
}

/// Commands of Redis 7.4 to 8.4, of Valkey 8 and 9, and of modules.
#[test]
fn prefixes_keys_of_newer_commands() {
    for (command, expected) in [
        ("ZRANK k m WITHSCORE", "ZRANK P:k m WITHSCORE"),
        ("ZREVRANK k m WITHSCORE", "ZREVRANK P:k m WITHSCORE"),
        ("HGETEX k EX 1 FIELDS 1 f", "HGETEX P:k EX 1 FIELDS 1 f"),
        ("HGETDEL k FIELDS 1 f", "HGETDEL P:k FIELDS 1 f"),
        ("HSETEX k EX 1 FIELDS 1 f v", "HSETEX P:k EX 1 FIELDS 1 f v"),
        ("HEXPIRE k 1 FIELDS 1 f", "HEXPIRE P:k 1 FIELDS 1 f"),
        ("HPTTL k FIELDS 1 f", "HPTTL P:k FIELDS 1 f"),
        ("XDELEX s KEEPREF IDS 1 0-1", "XDELEX P:s KEEPREF IDS 1 0-1"),
        ("XACKDEL s g IDS 1 0-1", "XACKDEL P:s g IDS 1 0-1"),
        ("XREADGROUP GROUP g c CLAIM 5 STREAMS s >", "XREADGROUP GROUP g c CLAIM 5 STREAMS P:s >"),
        ("DELIFEQ k v", "DELIFEQ P:k v"),
        ("DELEX k IFEQ v", "DELEX P:k IFEQ v"),
        ("DIGEST k", "DIGEST P:k"),
        ("SET k v IFEQ w", "SET P:k v IFEQ w"),
        ("MSETEX 2 a 1 b 2 EX 5", "MSETEX 2 P:a 1 P:b 2 EX 5"),
        ("VADD k VALUES 2 1 1 e", "VADD P:k VALUES 2 1 1 e"),
        ("VSIM k ELE e", "VSIM P:k ELE e"),
        ("JSON.SET k $ 1", "JSON.SET P:k $ 1"),
        ("json.get k $", "json.get P:k $"),
        ("JSON.MGET a b $", "JSON.MGET P:a P:b $"),
        ("JSON.MSET a $ 1 b $ 2", "JSON.MSET P:a $ 1 P:b $ 2"),
        ("BF.ADD k i", "BF.ADD P:k i"),
        ("CMS.MERGE d 2 a b WEIGHTS 1 2", "CMS.MERGE P:d 2 P:a P:b WEIGHTS 1 2"),
        ("TDIGEST.MERGE d 1 a OVERRIDE", "TDIGEST.MERGE P:d 1 P:a OVERRIDE"),
        ("TS.MADD a 1 2 b 1 2", "TS.MADD P:a 1 2 P:b 1 2"),
        ("TS.CREATERULE a b AGGREGATION avg 5", "TS.CREATERULE P:a P:b AGGREGATION avg 5"),
    ] {
        assert_eq!(sent(command).as_deref(), Ok(expected));
    }
    for command in [
        "FT.SEARCH i *",
        "FT.CREATE i SCHEMA f TEXT",
        "TS.MRANGE - + FILTER a=1",
        "COMMANDLOG GET 1 slow",
        "HOTKEYS GET",
        "CLUSTERSCAN 0",
    ] {
        assert_eq!(sent(command), Err(Refusal::AdminCommand), "{command}");
    }
    for command in [
        "MSETEX 2 a 1",
        "MSETEX 0 a 1",
        "MSETEX 1 a",
        "JSON.MSET a $ 1 b",
        "CMS.MERGE d 3 a b",
        "JSON.MGET $",
        "ZRANK k",
    ] {
        assert_eq!(sent(command), Err(Refusal::BadArguments), "{command}");
    }
}

#[test]
fn options_that_hold_keys() {
    for (command, expected) in [
        (
            "SORT k BY w_* GET # GET d_* LIMIT 0 1 STORE d",
            "SORT P:k BY P:w_* GET # GET P:d_* LIMIT 0 1 STORE P:d",
        ),
        ("SORT k BY BY GET STORE STORE GET", "SORT P:k BY P:BY GET P:STORE STORE P:GET"),
        ("SORT_RO k BY nosort", "SORT_RO P:k BY P:nosort"),
        (
            "GEORADIUS k 0 0 1 m COUNT 1 STORE a STOREDIST b",
            "GEORADIUS P:k 0 0 1 m COUNT 1 STORE P:a STOREDIST P:b",
        ),
        ("GEORADIUSBYMEMBER k STORE 1 m store STORE", "GEORADIUSBYMEMBER P:k STORE 1 m store P:STORE"),
        ("COPY a b REPLACE", "COPY P:a P:b REPLACE"),
        ("SCAN 0", "SCAN 0 MATCH P:*"),
        ("SCAN 7 COUNT 10 MATCH a* TYPE set", "SCAN 7 COUNT 10 MATCH P:a* TYPE set"),
        ("SCAN 0 TYPE match", "SCAN 0 TYPE match MATCH P:*"),
        ("XREAD COUNT 1 STREAMS a b 0 0", "XREAD COUNT 1 STREAMS P:a P:b 0 0"),
        ("XREADGROUP GROUP STREAMS c STREAMS STREAMS >", "XREADGROUP GROUP STREAMS c STREAMS P:STREAMS >"),
    ] {
        assert_eq!(sent(command).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_refused() {
    use Refusal::{AdminCommand, Blocking, ConnectionState, UnknownCommand, UntrustedScript};
    for (refusal, commands) in [
        (UnknownCommand, &["NOSUCH k", "OBJECT NOSUCH k", "MEMORY|USAGE k"][..]),
        (
            AdminCommand,
            &[
                "FLUSHALL",
                "FLUSHDB",
                "CONFIG GET *",
                "DEBUG SLEEP 1",
                "ACL WHOAMI",
                "MONITOR",
                "SLOWLOG GET",
                "SWAPDB 0 1",
                "MOVE k 1",
                "MIGRATE h 1 k 0 1",
                "RANDOMKEY",
                "DBSIZE",
                "RESTORE k 0 x",
                "INFO",
                "SHUTDOWN",
                "CLUSTER SLOTS",
                "LASTSAVE",
                "MEMORY STATS",
                "CLIENT LIST",
                "COMMAND",
                "MODULE LIST",
            ],
        ),
        (
            ConnectionState,
            &[
                "CLIENT SETNAME k",
                "HELLO 3",
                "AUTH p",
                "RESET",
                "SELECT 1",
                "MULTI",
                "EXEC",
                "DISCARD",
                "WATCH k",
                "UNWATCH",
                "SUBSCRIBE c",
                "SSUBSCRIBE c",
                "PUBSUB CHANNELS",
                "QUIT",
                "READONLY",
            ],
        ),
        (
            Blocking,
            &[
                "BLPOP k 0",
                "BLMOVE a b LEFT LEFT 0",
                "BZMPOP 0 1 k MIN",
                "WAIT 0 0",
                "XREAD BLOCK 0 STREAMS s $",
            ],
        ),
        (UntrustedScript, &["EVAL x 1 k", "EVALSHA x 1 k", "FCALL f 1 k", "SCRIPT LOAD x", "FUNCTION LIST"]),
    ] {
        for command in commands {
            assert_eq!(sent(command), Err(refusal), "{command}");
        }
    }
}

#[test]
fn arguments_that_do_not_say_where_the_keys_are() {
    for command in [
        "GET",
        "GET a b",
        "KEYS",
        "MSET a",
        "MSET a 1 b",
        "ZUNION 0 a",
        "ZUNION -1 a",
        "ZUNION 2 a",
        "ZUNION +1 a",
        "ZUNION 01 a",
        "ZUNION 18446744073709551615 a",
        "ZUNION x a",
        "COPY a b DB 1",
        "SORT k STORE",
        "SORT k NOSUCH",
        "SORT_RO k STORE d",
        "SCAN 0 MATCH a MATCH b",
        "SCAN 0 NOSUCH x",
        "SCAN 0 MATCH",
        "XREAD STREAMS a",
        "XREAD COUNT 1 STREAMS",
        "XREAD STREAMS a b 0",
        "XREAD COUNT 1",
        "XREAD GROUP g c STREAMS a 0",
        "OBJECT",
        "XREAD COUNT STREAMS a 0",
        "XREADGROUP STREAMS a 0",
        "XREADGROUP COUNT 1 STREAMS a b 0 0",
        "XREAD COUNT x STREAMS a 0",
        "XREADGROUP COUNT STREAMS GROUP g c STREAMS a >",
        "GEORADIUS k 0 0 1 m COUNT STORE STORE a",
        "SORT k LIMIT STORE 1",
        "SCAN 0 COUNT match",
        "GEORADIUS k 0 0 1 m STORE",
        "BITOP AND d",
    ] {
        assert_eq!(sent(command), Err(Refusal::BadArguments), "{command}");
    }
}

#[test]
fn what_a_dedicated_connection_may() {
    for (command, expected, refusal) in [
        ("BLPOP a b 0", "BLPOP P:a P:b 0", Refusal::Blocking),
        ("BZPOPMIN a 0", "BZPOPMIN P:a 0", Refusal::Blocking),
        ("BLMOVE a b LEFT LEFT 0", "BLMOVE P:a P:b LEFT LEFT 0", Refusal::Blocking),
        ("BRPOPLPUSH a b 0", "BRPOPLPUSH P:a P:b 0", Refusal::Blocking),
        ("BLMPOP 0 2 a b LEFT", "BLMPOP 0 2 P:a P:b LEFT", Refusal::Blocking),
        ("BZMPOP 0 1 a MIN", "BZMPOP 0 1 P:a MIN", Refusal::Blocking),
        ("XREAD BLOCK 0 STREAMS a $", "XREAD BLOCK 0 STREAMS P:a $", Refusal::Blocking),
        ("WATCH a b", "WATCH P:a P:b", Refusal::ConnectionState),
        ("UNWATCH", "UNWATCH", Refusal::ConnectionState),
    ] {
        assert_eq!(sent_in(Sharing::Dedicated, command).as_deref(), Ok(expected));
        assert_eq!(sent(command), Err(refusal), "{command}");
    }
    for (command, refusal) in [
        ("MULTI", Refusal::ConnectionState),
        ("SELECT 1", Refusal::ConnectionState),
        ("SUBSCRIBE c", Refusal::ConnectionState),
        ("FLUSHALL", Refusal::AdminCommand),
        ("EVAL x 0", Refusal::UntrustedScript),
        ("BLPOP 0", Refusal::BadArguments),
        ("BLMPOP 0 3 a LEFT", Refusal::BadArguments),
        ("XREAD BLOCK", Refusal::BadArguments),
    ] {
        assert_eq!(sent_in(Sharing::Dedicated, command), Err(refusal), "{command}");
    }
}

const SCRIPT: &str = "return{KEYS[1],ARGV[1]}";
static SCRIPTS: std::sync::LazyLock<TrustedScripts> =
    std::sync::LazyLock::new(|| TrustedScripts::new([SCRIPT]));

#[test]
fn a_trusted_script_and_no_other() {
    let hash = redis::Script::new(SCRIPT).get_hash().to_owned();
    let scope =
        TenantScope { scripts: Some(&SCRIPTS), ..TenantScope::new(TenantId::PLATFORM, Sharing::Shared) };
    for (command, expected) in [
        ("EVAL CODE 1 k v", "EVAL CODE 1 P:k v"),
        ("EVALSHA HASH 2 k l v", "EVALSHA HASH 2 P:k P:l v"),
        ("EVALSHA_RO HASH 1 k", "EVALSHA_RO HASH 1 P:k"),
        ("EVAL_RO CODE 0 v", "EVAL_RO CODE 0 v"),
        ("SCRIPT LOAD CODE", "SCRIPT LOAD CODE"),
    ] {
        let [command, expected] =
            [command, expected].map(|text| text.replace("CODE", SCRIPT).replace("HASH", &hash));
        assert_eq!(sent_within(&scope, &command), Ok(expected));
        assert_eq!(sent(&command), Err(Refusal::UntrustedScript), "{command}");
    }
    for (command, refusal) in [
        ("EVAL HASH 1 k", Refusal::UntrustedScript),
        ("EVALSHA CODE 1 k", Refusal::UntrustedScript),
        ("EVAL CODE; 1 k", Refusal::UntrustedScript),
        ("SCRIPT LOAD HASH", Refusal::UntrustedScript),
        ("SCRIPT FLUSH", Refusal::UntrustedScript),
        ("FCALL CODE 1 k", Refusal::UntrustedScript),
        ("EVAL CODE 2 k", Refusal::BadArguments),
        ("EVAL CODE -1 k", Refusal::BadArguments),
        ("EVAL CODE 00 k", Refusal::BadArguments),
        ("EVAL CODE", Refusal::BadArguments),
    ] {
        let command = command.replace("CODE", SCRIPT).replace("HASH", &hash);
        assert_eq!(sent_within(&scope, &command), Err(refusal), "{command}");
    }
}

fn under(policy: RedisPolicy, command: &str) -> Result<String, Refusal> {
    sent_within(
        &TenantScope { policy: Some(policy), ..TenantScope::new(TenantId::PLATFORM, Sharing::Shared) },
        command,
    )
}

#[test]
fn sizes_that_the_policy_allows() {
    let policy = RedisPolicy::new().max_value_len(5).max_args(3);
    for command in ["SET k 12345", "MGET a b c", "DEL a"] {
        assert!(under(policy, command).is_ok(), "{command}");
    }
    assert_eq!(under(policy, "SET k 123456"), Err(Refusal::TooLarge));
    assert_eq!(under(policy, "GET 123456"), Err(Refusal::TooLarge));
    assert_eq!(under(policy, "MGET a b c d"), Err(Refusal::TooManyArguments));
    assert_eq!(under(policy, "FLUSHALL a b c d"), Err(Refusal::AdminCommand));
    let scope = TenantScope { policy: Some(policy), ..TenantScope::new(TenantId::PLATFORM, Sharing::Shared) };
    let trusting = TenantScope { scripts: Some(&SCRIPTS), ..scope };
    for command in ["EVAL CODE 1 k", "SCRIPT LOAD CODE"] {
        assert!(sent_within(&trusting, &command.replace("CODE", SCRIPT)).is_ok(), "{command}");
    }
    let long = "EVAL CODE 1 123456".replace("CODE", SCRIPT);
    assert_eq!(sent_within(&trusting, &long), Err(Refusal::TooLarge));
}

#[test]
fn times_to_live_that_the_policy_allows() {
    let minute = Duration::from_mins(1);
    let (default, longest) = (RedisPolicy::new().default_ttl(minute), RedisPolicy::new().max_ttl(minute));
    for (command, expected) in [
        ("SET k v", "SET P:k v PX 60000"),
        ("set k v NX GET", "set P:k v NX GET PX 60000"),
        ("SET k v EX 90", "SET P:k v EX 90"),
        ("SET k v KEEPTTL", "SET P:k v KEEPTTL"),
        ("SETNX k v", "SETNX P:k v"),
        ("GETEX k", "GETEX P:k"),
        ("GET k", "GET P:k"),
    ] {
        assert_eq!(under(default, command).as_deref(), Ok(expected));
    }
    assert_eq!(under(default.max_ttl(minute / 2), "SET k v").as_deref(), Ok("SET P:k v PX 30000"));
    assert_eq!(
        under(RedisPolicy::new().default_ttl(Duration::ZERO), "SET k v").as_deref(),
        Ok("SET P:k v PX 1")
    );
    for command in [
        "SET k v EX 60",
        "SET k v px 60000 NX",
        "SETEX k 60 v",
        "PSETEX k 60000 v",
        "EXPIRE k 60",
        "EXPIRE k -1",
        "PEXPIRE k 60000 NX",
        "EXPIREAT k 1",
        "PEXPIREAT k 1",
        "SET k v EXAT 1",
        "GETEX k",
        "GETEX k EX 60",
        "GET k",
        "DEL k",
        "RENAME a b",
        "COPY a b",
        "SORT k BY w GET #",
        "LPUSHX k v",
        "LSET k 0 v",
        "LPOP k",
    ] {
        assert!(under(longest, command).is_ok(), "{command}");
    }
    let (long, none) = (Refusal::TtlTooLong, Refusal::TtlRequired);
    for (command, refusal) in [
        ("SET k v EX 61", long),
        ("SET k v EX 1 PX 60001", long),
        ("SET k v PXAT 99999999999999", long),
        ("SET k v EXAT 18446744073709551615", long),
        ("SETEX k 61 v", long),
        ("PSETEX k 60001 v", long),
        ("EXPIRE k 61", long),
        ("PEXPIRE k 60001", long),
        ("EXPIREAT k 99999999999", long),
        ("PEXPIREAT k 99999999999999", long),
        ("GETEX k EX 61", long),
        ("SET k v", none),
        ("SET k v NX", none),
        ("SET k v EX 1 KEEPTTL", none),
        ("GETEX k PERSIST", none),
        ("PERSIST k", none),
        ("SETNX k v", none),
        ("GETSET k v", none),
        ("MSET k v", none),
        ("APPEND k v", none),
        ("INCR k", none),
        ("HSET k f v", none),
        ("RPUSH k v", none),
        ("SMOVE a b v", none),
        ("LMOVE a b LEFT LEFT", none),
        ("SORT k STORE d", none),
        ("GEORADIUS k 0 0 1 m STOREDIST d", none),
        ("XGROUP CREATE k g $ MKSTREAM", none),
        ("SET k v EX", Refusal::BadArguments),
        ("SET k v EX x", Refusal::BadArguments),
        ("SET k v IFEQ EX", Refusal::BadArguments),
    ] {
        assert_eq!(under(longest, command), Err(refusal), "{command}");
    }
    assert_eq!(
        under(RedisPolicy::new().require_ttl(), "SET k v EX 999999999").as_deref(),
        Ok("SET P:k v EX 999999999")
    );
}
