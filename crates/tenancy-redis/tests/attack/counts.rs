//! Counts that lie about how many keys follow.

use redis::Cmd;
use tenancy_redis::Refusal::{BadArguments, UntrustedScript};
use tenancy_redis::TrustedScripts;

use std::sync::LazyLock;

use crate::case::Expect::{self, Harmless, Refused};
use crate::case::{Case, run, run_commands};
use crate::world::words;

/// A script that reads each word, as a key or not.
const READ_ALL: &str = "local r = {} for i, k in ipairs(KEYS) do r[i] = redis.call('GET', k) end return r";

static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([READ_ALL]));

/// Spellings that some reader of numbers takes as 1 or 2, and numbers that do not match.
const LIES: &[&str] = &[
    "+2",
    "02",
    "2.0",
    "2e0",
    "0x2",
    "-1",
    "-2",
    "''",
    "two",
    "99",
    "2147483648",
    "4294967298",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "18446744073709551618",
    "2\0",
    "2\r\n",
    "\t2",
    "\u{662}",
];

/// Commands whose count `#` says how many keys follow. There are two, and no other argument could be a third.
const COUNTED: &[&str] = &[
    "LMPOP # @l l LEFT",
    "ZMPOP # @z z MIN",
    "ZUNION # @z z",
    "ZINTER # @z z",
    "ZDIFF # @z z",
    "ZUNIONSTORE @d # @z z",
    "ZINTERSTORE @d # @z z",
    "ZDIFFSTORE @d # @z z",
    "ZINTERCARD # @z z",
    "SINTERCARD # @s s",
    "MSETEX # @k 1 l 2",
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_counts_in_any_spelling_but_one() {
    let mut cases: Vec<(String, Cmd, Expect)> = Vec::new();
    for line in COUNTED {
        for lie in LIES {
            let line = line.replace('#', lie);
            cases.push((line.clone(), words(&line), Refused(BadArguments)));
        }
    }
    let cases: Vec<_> =
        cases.iter().map(|(name, command, expect)| (&**name, command.clone(), *expect)).collect();
    run_commands(&cases, None);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_counts_of_script_keys_in_any_spelling_but_one() {
    let mut cases: Vec<(&str, Cmd, Expect)> = Vec::new();
    for name in ["EVAL", "EVAL_RO"] {
        for lie in LIES {
            let mut command = redis::cmd(name);
            command.arg(READ_ALL).arg(if *lie == "''" { "" } else { lie }).arg("@k").arg("k");
            cases.push((lie, command, Refused(BadArguments)));
        }
    }
    let mut without = redis::cmd("EVAL");
    without.arg(READ_ALL);
    cases.push(("no count", without, Refused(BadArguments)));
    let mut untrusted = redis::cmd("EVAL");
    untrusted.arg("return 1").arg("x");
    cases.push(("a script of its own with a false count", untrusted, Refused(UntrustedScript)));
    run_commands(&cases, Some(&SCRIPTS));
}

const SHAPES: &[Case] = &[
    ("a name without a value", "MSET @k 1 @l", Refused(BadArguments)),
    ("a name without a value, if missing", "MSETNX @k", Refused(BadArguments)),
    ("no key", "GET", Refused(BadArguments)),
    ("no keys", "MGET", Refused(BadArguments)),
    ("two keys where one is", "GET k @k", Harmless),
    ("streams without ids", "XREAD STREAMS @x x 0", Refused(BadArguments)),
    ("no streams", "XREAD STREAMS", Refused(BadArguments)),
    ("streams without the word", "XREAD COUNT 1 @x 0", Refused(BadArguments)),
    ("a group without the word", "XREADGROUP g c STREAMS @x >", Refused(BadArguments)),
    ("a count that is the word", "XREAD COUNT STREAMS STREAMS @x 0", Refused(BadArguments)),
    ("a pattern that is missing", "SORT l BY", Refused(BadArguments)),
    ("a destination that is missing", "SORT l STORE", Refused(BadArguments)),
    ("an option that sorts do not have", "SORT l WITHIN @l", Refused(BadArguments)),
    ("a destination of a read-only sort", "SORT_RO l STORE @l", Refused(BadArguments)),
    ("a destination of a read-only search", "GEORADIUS_RO geo 0 0 9 km STORE @geo", Harmless),
    ("an option that copies do not have", "COPY k d INTO @k", Refused(BadArguments)),
    ("a limit with one number", "SORT l LIMIT 0 GET @k", Refused(BadArguments)),
    ("no operation", "BITOP", Refused(BadArguments)),
    ("a destination alone", "BITOP AND @k", Refused(BadArguments)),
    ("an operation that no server has", "BITOP XNOR @k k", Harmless),
    ("no source", "PFMERGE @hll", Harmless),
    ("no subcommand", "OBJECT", Harmless),
    ("a subcommand without a key", "OBJECT ENCODING", Refused(BadArguments)),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_arguments_that_do_not_say_where_keys_are() {
    run(SHAPES);
}
