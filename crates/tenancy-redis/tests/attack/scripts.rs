//! Scripts and functions: those of the program, and those that only look like them.

use std::sync::LazyLock;

use redis::{Cmd, Script};
use tenancy_redis::Refusal::{AdminCommand, UntrustedScript};
use tenancy_redis::{TenantRedis, TrustedScripts};

use crate::case::Expect::{self, Fails, Harmless, Is, Refused};
use crate::case::{Case, run, run_commands};
use crate::world::{A, PREFIX_A, PREFIX_B, World};

const READ: &str = "return redis.call('GET', KEYS[1])";
const KEYS: &str = "return KEYS";
const WORDS: &str = "return ARGV";
/// A script that nobody vouches for.
const STRAY: &str = "return redis.call('KEYS', '*')";

static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([READ, KEYS, WORDS]));

fn script(name: &str, text: &str, rest: &[&str]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(text).arg(rest);
    command
}

const SCRIPTING: &[Case] = &[
    ("removes all scripts", "SCRIPT FLUSH SYNC", Refused(UntrustedScript)),
    ("ends a running script", "SCRIPT KILL", Refused(UntrustedScript)),
    ("debugs", "SCRIPT DEBUG YES", Refused(UntrustedScript)),
    ("asks whether a script exists", "SCRIPT EXISTS 0000000000000000000000000000000000000000", Harmless),
    ("reads a script", "SCRIPT SHOW 0000000000000000000000000000000000000000", Refused(UntrustedScript)),
    ("loads a function", "FUNCTION LOAD REPLACE x", Refused(UntrustedScript)),
    ("lists functions", "FUNCTION LIST WITHCODE", Refused(UntrustedScript)),
    ("writes functions", "FUNCTION RESTORE x FLUSH", Refused(UntrustedScript)),
    ("serializes functions", "FUNCTION DUMP", Refused(UntrustedScript)),
    ("removes functions", "FUNCTION FLUSH", Refused(UntrustedScript)),
    ("ends a function", "FUNCTION KILL", Refused(UntrustedScript)),
    ("counts functions", "FUNCTION STATS", Refused(UntrustedScript)),
    ("calls a function", "FCALL f 1 @k", Refused(UntrustedScript)),
    ("calls a function that reads", "FCALL_RO f 0 @k", Refused(UntrustedScript)),
    ("runs a script without any that is trusted", "EVAL return 0", Refused(UntrustedScript)),
    (
        "runs a stored script without any that is trusted",
        "EVALSHA 0000000000000000000000000000000000000000 1 @k",
        Refused(UntrustedScript),
    ),
    ("runs a gear", "TFCALL lib.f 1 @k", Harmless),
    ("runs a script of another kind", "AI.SCRIPTEXECUTE s f KEYS 1 @k", Harmless),
    ("queries a graph", "GRAPH.QUERY @k x", Harmless),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_scripting_commands_and_functions() {
    run(SCRIPTING);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn only_the_texts_of_trusted_scripts_run() {
    let sha = Script::new(READ).get_hash().to_owned();
    let upper = sha.to_uppercase();
    let stray = Script::new(STRAY).get_hash().to_owned();
    let foreign = format!("{PREFIX_B}k");
    let padded = format!("{READ} ");
    let commented = format!("{READ} -- {STRAY}");
    let shebang = format!("#!lua flags=allow-oom\n{READ}");
    let spaced = format!("{sha} ");
    let short = &sha[..39];
    let own_name = format!("[{PREFIX_A}{PREFIX_B}k {PREFIX_A}k]");
    let own_name: &'static str = own_name.leak();
    let cases: &[(&str, Cmd, Expect)] = &[
        ("the script itself", script("EVAL", READ, &["1", &foreign]), Is("nil")),
        ("the script, read only", script("EVAL_RO", READ, &["1", "k"]), Is("own")),
        ("its keys", script("EVAL", KEYS, &["2", &foreign, "k"]), Is(own_name)),
        ("no keys, with a name among its words", script("EVAL", KEYS, &["0", &foreign]), Is("[]")),
        (
            "more keys than there are words",
            script("EVAL", READ, &["2", "k"]),
            Refused(tenancy_redis::Refusal::BadArguments),
        ),
        ("a space after the text", script("EVAL", &padded, &["1", "k"]), Refused(UntrustedScript)),
        ("a comment after the text", script("EVAL", &commented, &["1", "k"]), Refused(UntrustedScript)),
        ("flags before the text", script("EVAL", &shebang, &["1", "k"]), Refused(UntrustedScript)),
        ("the name as the text", script("EVAL", &sha, &["1", "k"]), Refused(UntrustedScript)),
        ("no text", script("EVAL", "", &["1", "k"]), Refused(UntrustedScript)),
        ("another script", script("EVAL", STRAY, &["0"]), Refused(UntrustedScript)),
        ("another script, read only", script("EVAL_RO", STRAY, &["0"]), Refused(UntrustedScript)),
        ("another script by its hash", script("EVALSHA", &stray, &["0"]), Refused(UntrustedScript)),
        (
            "another script by its hash, read only",
            script("EVALSHA_RO", &stray, &["0"]),
            Refused(UntrustedScript),
        ),
        ("the hash before it is loaded", script("EVALSHA", &sha, &["1", "k"]), Fails("NoScript")),
        ("the hash in upper case", script("EVALSHA", &upper, &["1", "k"]), Fails("NoScript")),
        ("the hash with a space", script("EVALSHA", &spaced, &["1", "k"]), Refused(UntrustedScript)),
        ("the hash without a digit", script("EVALSHA", short, &["1", "k"]), Refused(UntrustedScript)),
        ("loads another script", script("SCRIPT", "LOAD", &[STRAY]), Refused(UntrustedScript)),
        (
            "loads two scripts",
            script("SCRIPT", "LOAD", &[READ, STRAY]),
            Refused(tenancy_redis::Refusal::BadArguments),
        ),
    ];
    run_commands(cases, Some(&SCRIPTS));
}

/// Another program loaded it: the server knows the hash, and this program does not vouch for it.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn stored_scripts_and_functions_of_others_do_not_run() {
    let world = World::start();
    let mut raw = world.raw(2);
    let sha: String = redis::cmd("SCRIPT").arg("LOAD").arg(STRAY).query(&mut raw).expect("a hash");
    let library = "#!lua name=lib\nredis.register_function{function_name='f', callback=function() return redis.call('KEYS', '*') end, flags={'no-writes'}}";
    let () = redis::cmd("FUNCTION").arg("LOAD").arg(library).query(&mut raw).expect("a library");
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(world.raw(resp), A).scripts(&SCRIPTS);
        for command in [
            script("EVALSHA", &sha, &["0"]),
            script("EVALSHA", &sha.to_uppercase(), &["1", "k"]),
            script("EVALSHA_RO", &sha, &["0"]),
            script("FCALL", "f", &["0"]),
            script("FCALL_RO", "f", &["0"]),
            script("fcall", "f", &["1", "k"]),
        ] {
            let error = command.exec(&mut a).expect_err("refused");
            assert_eq!(tenancy_redis::refusal(&error), Some(UntrustedScript), "{error}");
        }
        let error = redis::cmd("FUNCTION").arg("LIST").exec(&mut a).expect_err("refused");
        assert_ne!(tenancy_redis::refusal(&error), None);
        let error = redis::cmd("DEBUG").arg("LISTPACK").arg("h").exec(&mut a).expect_err("refused");
        assert_eq!(tenancy_redis::refusal(&error), Some(AdminCommand));
    }
}

/// Scripts belong to the handle that names them.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn scripts_of_one_handle_do_not_run_on_another() {
    let world = World::start();
    let mut with = TenantRedis::new(world.raw(2), A).scripts(&SCRIPTS);
    let mut without = TenantRedis::new(world.raw(2), A);
    let read: String = Script::new(READ).key("k").invoke(&mut with).expect("a reply");
    assert_eq!(read, "own");
    let error = Script::new(READ).key("k").invoke::<String>(&mut without).expect_err("refused");
    assert_eq!(tenancy_redis::refusal(&error), Some(UntrustedScript));
}
