//! The table against the server at hand: where it says that the keys are.

use std::collections::BTreeSet;
use std::io::Write;

use redis::{Cmd, Connection, ConnectionLike, Value};
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::support::recorder::Recorder;
use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, command, pick};

/// A number of the environment, shown so that the test can be repeated.
fn setting(name: &str, default: u64) -> u64 {
    let number = std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default);
    println!("{name}={number}");
    number
}

/// The arguments that would be sent, or why none are.
fn sent(arguments: &[&str]) -> Result<Vec<String>, Refusal> {
    let mut recorder = Recorder::default();
    let mut tenant = TenantRedis::new(&mut recorder, A);
    let mut cmd = Cmd::new();
    cmd.arg(arguments);
    if let Err(error) = tenant.req_command(&cmd) {
        match refusal(&error) {
            Some(Refusal::Reply) => {}
            Some(refusal) => return Err(refusal),
            None => panic!("{arguments:?}: {error}"),
        }
    }
    drop(tenant);
    Ok(recorder.words().expect("sent"))
}

/// The places of the keys as the server finds them, or none where it finds no keys.
fn keys_of(raw: &mut Connection, arguments: &[String]) -> Option<Vec<String>> {
    redis::cmd("COMMAND").arg("GETKEYS").arg(arguments).query(raw).ok()
}

/// Commands and subcommands, as words.
fn names(raw: &mut Connection) -> Vec<String> {
    let names: Vec<String> = command("COMMAND LIST").query(raw).expect("names");
    // The server tells them in another order each time.
    let names: BTreeSet<_> = names.into_iter().map(|name| name.replace('|', " ")).collect();
    names.into_iter().collect()
}

/// A newer server has more of them.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_command_that_the_table_lacks_is_refused() {
    let server = Server::start();
    let names = names(&mut server.raw());
    let unknown: BTreeSet<_> = (names.iter())
        .filter(|name| {
            !names.iter().any(|sub| sub.strip_prefix(&***name).is_some_and(|sub| sub.starts_with(' ')))
        })
        .filter(|name| {
            let words: Vec<_> = name.split(' ').chain(["k"; 4]).collect();
            sent(&words) == Err(Refusal::UnknownCommand)
        })
        .collect();
    if !unknown.is_empty() {
        // Not by `println!`, which is shown of failing tests alone: that a server is newer is no failure.
        let _ = writeln!(
            std::io::stderr(),
            "\nthe table of commands lacks, and tenancy-redis refuses: {unknown:?}; \
             `cargo xtask redis-table` takes them in"
        );
    }
    assert!(names.len() - unknown.len() > 300, "{} of {}", unknown.len(), names.len());
    assert_eq!(sent(&["FUTURECMD", "k"]), Err(Refusal::UnknownCommand));
}

/// onyx-dot-app/onyx#10909, ioredis#1591: a command whose keys a table has wrong or not at all.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keys_are_where_the_server_finds_them() {
    let (seed, commands) = (setting("SEED", 5), setting("COMMANDS", 50_000));
    let (server, mut rng) = (Server::start(), fastrand::Rng::with_seed(seed));
    let mut raw = server.raw();
    let names = names(&mut raw);
    let (mut compared, mut used) = (0_u64, BTreeSet::new());
    for _ in 0..commands {
        let name = &names[rng.usize(..names.len())];
        let words = random_command(name, &mut rng);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let Ok(sent) = sent(&words) else { continue };
        let before: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(keys) = check(&mut raw, &before, &sent) {
            compared += u64::from(keys > 0);
            used.insert(name);
        }
    }
    println!("{compared} commands compared, of {} names", used.len());
    assert!(compared > commands / 20, "{compared}");
    assert!(used.len() > 120, "{}", used.len());
}

/// How many keys the server finds, each prefixed in what is sent; `None` where it finds none.
fn check(raw: &mut Connection, before: &[String], sent: &[String]) -> Option<usize> {
    for (word, sent) in before.iter().zip(sent) {
        assert!(sent == word || *sent == format!("{PREFIX_A}{word}"), "{before:?} is sent as {sent:?}");
    }
    let keys = keys_of(raw, before)?;
    assert_eq!(before.len(), sent.len(), "{before:?} is sent as {sent:?}");
    if is_misread(before) {
        return None;
    }
    let found = keys_of(raw, sent).unwrap_or_else(|| panic!("{before:?} is sent as {sent:?}: no keys"));
    if ["sort", "sort_ro", "georadius", "georadiusbymember"].contains(&&*before[0]) {
        // Patterns are no keys for COMMAND GETKEYS, and a key that is named STORE is an option for it.
        assert!(found.iter().all(|key| key.starts_with(PREFIX_A)), "{before:?} is sent as {sent:?}");
        return Some(keys.len());
    }
    let prefixed: Vec<_> = keys.iter().map(|key| format!("{PREFIX_A}{key}")).collect();
    let changed = before.iter().zip(sent).filter(|(word, sent)| word != sent).count();
    assert!(found == prefixed && changed == keys.len(), "{before:?} is sent as {sent:?}");
    Some(keys.len())
}

/// Where COMMAND GETKEYS takes the name of a group, or a unit, for an option: the commands themselves read it as what
/// it is, or as an error.
fn is_misread(words: &[String]) -> bool {
    let streams = words.iter().filter(|word| word.eq_ignore_ascii_case("streams")).count();
    match &*words[0] {
        "xreadgroup" => streams > 1,
        "georadius" => words[2..6].iter().any(|word| is_store(word)),
        "georadiusbymember" => words[2..5].iter().any(|word| is_store(word)),
        _ => false,
    }
}

fn is_store(word: &str) -> bool {
    word.to_lowercase().starts_with("store")
}

const WORDS: [&str; 34] = [
    "k",
    "k2",
    "STORE",
    "store",
    "STREAMS",
    "BY",
    "GET",
    "#",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "01",
    "LIMIT",
    "COUNT",
    "MATCH",
    "WEIGHTS",
    "AGGREGATE",
    "LEFT",
    "MIN",
    "DESC",
    "ALPHA",
    "REPLACE",
    "DB",
    "GROUP",
    "NOACK",
    "m",
    "STOREDIST",
    "TYPE",
    "",
    "nosort",
    "$",
    ">",
];

fn random_command(name: &str, rng: &mut fastrand::Rng) -> Vec<String> {
    let mut words: Vec<_> = name.split(' ').map(str::to_owned).collect();
    for _ in 0..rng.usize(..9) {
        let word = match rng.usize(..20) {
            0 => format!("{PREFIX_B}k"),
            1 => format!("{PREFIX_A}k"),
            _ => (*pick(rng, &WORDS.each_ref().map(|word| *word))).to_owned(),
        };
        words.push(word);
    }
    words
}

/// What is on the server: the hash of all keys and values of a tenant, and how many keys are nobody's.
const CENSUS: &str = r"
    local all, others, nobodys = {}, 0, 0
    for _, key in ipairs(redis.call('KEYS', '*')) do
        if key:sub(1, #ARGV[1]) == ARGV[1] then
            all[#all + 1] = key .. redis.call('DUMP', key)
        elseif key:sub(1, #ARGV[2]) == ARGV[2] then
            others = others + 1
        else
            nobodys = nobodys + 1
        end
    end
    table.sort(all)
    return {redis.sha1hex(table.concat(all)), #all, others, nobodys}";

/// What two tenants do at random stays theirs, as is seen after each command: no key is anybody else's, and neither
/// changes what the other has.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn random_commands_leave_the_other_tenants_data_as_it_was() {
    let (server, mut rng) = (Server::start(), fastrand::Rng::with_seed(setting("SEED", 7)));
    let executed = setting("EXECUTED", 20_000);
    let mut raw = server.raw();
    let names = names(&mut raw);
    let census = redis::Script::new(CENSUS);
    let mut tenants = [server.tenant(A), server.tenant(B)];
    let (mut done, mut had, mut round) = (0, [0; 2], 0);
    while done < executed {
        let (actor, other) = if round % 2 == 0 { (0, PREFIX_B) } else { (1, PREFIX_A) };
        round += 1;
        // A time to live of an earlier round would end some of it.
        server.persist(other);
        let mut count = || -> (String, usize, usize, usize) {
            census.arg(other).arg([PREFIX_A, PREFIX_B][actor]).invoke(&mut raw).expect("a census")
        };
        let before = count();
        for _ in 0..500 {
            let words = random_command(&names[rng.usize(..names.len())], &mut rng);
            let mut cmd = Cmd::new();
            if cmd.arg(&words).query::<Value>(&mut tenants[actor]).is_err() {
                continue;
            }
            done += 1;
            let after = count();
            assert_eq!((&after.0, after.1, after.3), (&before.0, before.1, 0), "after {words:?}");
            had[actor] = had[actor].max(after.2);
        }
    }
    println!("{done} commands executed; the tenants had up to {had:?} keys");
    assert!(had.iter().all(|keys| *keys > 5), "{had:?}");
}
