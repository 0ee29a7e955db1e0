//! What is sent for a command.

use redis::Cmd;

use super::{Mode, Scope, rewrite_arguments};
use crate::packed::Packed;
use crate::refusal::Refusal;

/// What is sent for a command of one tenant, whose prefix is `P:`.
fn sent(command: &str) -> Result<String, Refusal> {
    sent_in(Mode::Shared, command)
}

fn sent_in(mode: Mode, command: &str) -> Result<String, Refusal> {
    let arguments: Vec<_> = command.split(' ').map(str::as_bytes).collect();
    let mut scratch = Cmd::new();
    rewrite_arguments(arguments.into_iter(), Scope { prefix: b"P:", mode }, &mut scratch)?;
    let sent = scratch.get_packed_command();
    let arguments = Packed::only(&sent)?;
    Ok(arguments.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<Vec<_>>().join(" "))
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
    use Refusal::{AdminCommand, BadArguments, Blocking, ConnectionState, UnknownCommand, UntrustedScript};
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
        (
            BadArguments,
            &[
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
                "GEORADIUS k 0 0 1 m STORE",
                "BITOP AND d",
            ],
        ),
    ] {
        for command in commands {
            assert_eq!(sent(command), Err(refusal), "{command}");
        }
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
        assert_eq!(sent_in(Mode::Dedicated, command).as_deref(), Ok(expected));
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
        assert_eq!(sent_in(Mode::Dedicated, command), Err(refusal), "{command}");
    }
}
