//! Every command that the server has, with random words: names of tenant B, options, numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Cmd, Value};
use tenancy_redis::{TenantAcl, TenantRedis, TrustedScripts};

use crate::show::show;
use crate::world::{A, B, CANARY, PREFIX_A, PREFIX_B, World, words};

/// How many lists of words each command is tried with.
const TRIES: usize = 100;

/// Names of tenant B, and patterns of them.
const FOREIGN: &[&str] = &["@k", "@l", "@h", "@s", "@z", "@x", "@geo", "@hll", "@dated", "@d_*", "@*"];

/// Names that tenant A has too.
const OWN: &[&str] = &["k", "l", "h", "s", "z", "x", "geo"];

/// Options, numbers and other words.
const OTHER: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "10",
    "0-0",
    "1-1",
    "*",
    "+",
    "-",
    "$",
    ">",
    "''",
    "g",
    "c",
    "f",
    "m",
    "m1",
    "v",
    "STREAMS",
    "COUNT",
    "MATCH",
    "STORE",
    "STOREDIST",
    "GET",
    "BY",
    "LIMIT",
    "WEIGHTS",
    "AGGREGATE",
    "SUM",
    "GROUP",
    "FIELDS",
    "IDS",
    "KEYS",
    "LEFT",
    "RIGHT",
    "MIN",
    "MAX",
    "EX",
    "NX",
    "XX",
    "REPLACE",
    "DB",
    "WITHSCORES",
    "VALUES",
    "ELE",
    "FROMLONLAT",
    "BYRADIUS",
    "km",
    "FULL",
    "ALPHA",
    "#",
    "OR",
    "AND",
    "NOT",
    "TYPE",
    "ENCODING",
    "USAGE",
    "MKSTREAM",
    "IFEQ",
    "KEEPTTL",
    "LEN",
];

/// Returns the names of all commands and subcommands of the server that do not wait.
fn commands(world: &mut World) -> Vec<Vec<String>> {
    let mut names = BTreeSet::new();
    collect(&world.ask("COMMAND"), &mut names);
    names.into_iter().map(|name| name.split('|').map(str::to_owned).collect()).collect()
}

fn collect(list: &Value, names: &mut BTreeSet<String>) {
    let Value::Array(entries) = list else { return };
    for entry in entries {
        let Value::Array(fields) = entry else { continue };
        let flags = show(&fields[2]);
        if !flags.contains("blocking") {
            names.insert(show(&fields[0]));
        }
        collect(&fields[9], names);
    }
}

/// Returns the command with up to eight random words. Own names get the prefix.
fn random(rng: &mut fastrand::Rng, name: &[String], prefix: &str) -> Cmd {
    let mut line: Vec<String> = name.to_vec();
    for _ in 0..rng.usize(..9) {
        let among = [FOREIGN, OWN, OTHER][rng.usize(..3)];
        let word = among[rng.usize(..among.len())];
        let is_own_name = OWN.contains(&word);
        line.push(if is_own_name { format!("{prefix}{word}") } else { word.to_owned() });
    }
    words(&line.join(" "))
}

/// The server is the judge: the connection belongs to a user who may use all commands, and the keys of tenant A alone.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn no_command_with_random_words_leaves_the_tenant() {
    let mut world = World::start();
    let before = world.outside();
    let judge =
        format!("ACL SETUSER judge on nopass allcommands resetkeys ~{PREFIX_A}* resetchannels &{PREFIX_A}*");
    world.ask(&judge);
    let mut rng = fastrand::Rng::with_seed(17);
    let (mut sent, mut failed) = (0, Vec::new());
    let login = |world: &World| {
        let mut connection = world.raw(3);
        let () = words("AUTH judge x").query(&mut connection).expect("a login");
        TenantRedis::new(connection, A)
    };
    let mut a = login(&world);
    for name in commands(&mut world) {
        let mut was_sent = false;
        for _ in 0..TRIES {
            let command = random(&mut rng, &name, "");
            let reply = command.query::<Value>(&mut a);
            let text = match &reply {
                Ok(value) => show(value),
                Err(error) => format!("{error} {error:?}"),
            };
            let is_refused = reply.as_ref().is_err_and(|error| tenancy_redis::refusal(error).is_some());
            was_sent |= !is_refused;
            sent += usize::from(!is_refused);
            // For sorts by patterns the server wants a user who may read every key.
            let is_denied = text.contains("NOPERM") || text.contains("NoPerm");
            if text.contains(CANARY) || is_denied {
                failed.push(format!("{}: {text}", shown(&command)));
            }
        }
        if was_sent && world.outside() != before {
            failed.push(format!("{name:?} changed a foreign key"));
        }
        world.reset();
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(sent > 2000, "{sent} commands were sent");
}

/// The same words on a raw connection of the tenant's own user.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn no_command_with_random_words_gets_past_the_tenants_user() {
    let mut world = World::start();
    let before = world.outside();
    let acl = TenantAcl::new(b"a secret that no tenant can read", 1).scripts();
    let mut admin = world.raw(2);
    acl.provision(&mut admin, A).expect("a user");
    acl.provision(&mut admin, B).expect("a user");
    let () = words("ACL SETUSER operator on nopass allkeys allchannels allcommands")
        .query(&mut admin)
        .expect("a reply");
    let () = words("AUTH operator x").query(&mut admin).expect("a login");
    TenantAcl::close_default(&mut admin).expect("a closed user");
    // The connection of the world belonged to `default`.
    world.log_in("operator");
    let users = world.ask("ACL LIST");
    let client = acl.client(&world.client(2), A).expect("a client");
    let connect = || {
        let connection = client.get_connection().expect("a connection");
        // Some states of a connection have no reply for a command.
        connection.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        connection
    };
    let mut rng = fastrand::Rng::with_seed(18);
    let (mut answered, mut failed) = (0, Vec::new());
    for name in commands(&mut world) {
        // A connection may have changed its state, or may have been closed.
        let mut a = connect();
        for _ in 0..TRIES {
            let command = random(&mut rng, &name, PREFIX_A);
            let reply = command.query::<Value>(&mut a);
            answered += usize::from(reply.is_ok());
            let text = match &reply {
                Ok(value) => show(value),
                Err(error) => format!("{error} {error:?}"),
            };
            if text.contains(CANARY) {
                failed.push(format!("{}: {text}", shown(&command)));
            }
            let is_lost =
                reply.as_ref().is_err_and(|error| error.is_timeout() || error.is_unrecoverable_error());
            if is_lost
                || ["multi", "reset", "subscribe", "psubscribe", "ssubscribe", "client"].contains(&&*name[0])
            {
                a = connect();
            }
        }
        if world.outside() != before {
            failed.push(format!("{name:?} changed a foreign key"));
        }
        world.reset();
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(world.ask("ACL LIST"), users);
    assert!(answered > 500, "{answered} commands were answered");
}

/// A script of the program gets random words as keys and as other arguments.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn trusted_scripts_with_random_words_use_own_keys() {
    const TOUCH: &str = "for _, k in ipairs(KEYS) do redis.pcall('APPEND', k, 'x') end return #KEYS";
    static SCRIPTS: std::sync::LazyLock<TrustedScripts> =
        std::sync::LazyLock::new(|| TrustedScripts::new([TOUCH]));
    let mut world = World::start();
    let before = world.outside();
    let mut a = TenantRedis::new(world.raw(2), A).scripts(&SCRIPTS);
    let mut rng = fastrand::Rng::with_seed(19);
    let mut ran = 0;
    for _ in 0..2000 {
        let mut command = redis::cmd("EVAL");
        command.arg(TOUCH).arg(rng.usize(..6));
        for _ in 0..rng.usize(..8) {
            let among = [FOREIGN, OWN, OTHER][rng.usize(..3)];
            let chosen = among[rng.usize(..among.len())];
            command.arg(
                chosen
                    .strip_prefix('@')
                    .map_or_else(|| chosen.to_owned(), |name| format!("{PREFIX_B}{name}")),
            );
        }
        ran += usize::from(command.exec(&mut a).is_ok());
    }
    assert_eq!(world.outside(), before);
    assert!(ran > 500, "{ran} scripts ran");
}

fn shown(command: &Cmd) -> String {
    String::from_utf8_lossy(&command.get_packed_command()).replace("\r\n", " ")
}
