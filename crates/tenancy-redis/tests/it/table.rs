//! The table of commands, compared with a real server: which arguments are keys.

use std::collections::BTreeSet;
use std::io::Write;

use redis::{Cmd, Connection, ConnectionLike, Value};
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::support::recorder::Recorder;
use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, command, pick};

/// Returns a number from the environment, and prints it so that the test can be repeated.
fn setting(name: &str, default: u64) -> u64 {
    let number = std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default);
    println!("{name}={number}");
    number
}

/// Returns the arguments that would be sent, or the reason why none are.
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

/// Returns the keys that the server finds, or `None` if it finds none.
fn keys_of(raw: &mut Connection, arguments: &[String]) -> Option<Vec<String>> {
    redis::cmd("COMMAND").arg("GETKEYS").arg(arguments).query(raw).ok()
}

/// Returns the names of commands and subcommands, as words.
fn names(raw: &mut Connection) -> Vec<String> {
    let names: Vec<String> = command("COMMAND LIST").query(raw).expect("names");
    // The server returns them in a different order each time.
    let names: BTreeSet<_> = names.into_iter().map(|name| name.replace('|', " ")).collect();
    names.into_iter().collect()
}

/// Returns whether the table has all commands of the server: it is made of three servers.
fn is_in_the_table(raw: &mut Connection) -> bool {
    let info: String = ask(raw, "INFO server");
    ["redis_version:7.0.", "redis_version:8.2.", "valkey_version:9.1."]
        .iter()
        .any(|version| info.contains(version))
}

/// A newer server has more commands than the table.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_commands_missing_from_the_table() {
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
    let missing = "the table lacks commands that tenancy-redis refuses; `cargo xtask redis-table` adds them";
    if is_in_the_table(&mut server.raw()) {
        assert!(unknown.is_empty(), "{missing}: {unknown:?}");
    } else if !unknown.is_empty() {
        // Not by `println!`, which the harness shows only for failing tests.
        let _ = writeln!(std::io::stderr(), "\n{missing}: {unknown:?}");
    }
    assert!(names.len() - unknown.len() > 300, "{} of {}", unknown.len(), names.len());
    assert_eq!(sent(&["FUTURECMD", "k"]), Err(Refusal::UnknownCommand));
}

/// onyx-dot-app/onyx#10909, ioredis#1591: the keys of a command were wrong in a table, or missing.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keys_are_prefixed_where_the_server_finds_them() {
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

/// Asserts that exactly the server's keys are prefixed; returns their number, or `None` if the server finds none.
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
        // COMMAND GETKEYS ignores patterns, and takes a key named STORE for an option.
        assert!(found.iter().all(|key| key.starts_with(PREFIX_A)), "{before:?} is sent as {sent:?}");
        return Some(keys.len());
    }
    let prefixed: Vec<_> = keys.iter().map(|key| format!("{PREFIX_A}{key}")).collect();
    let changed = before.iter().zip(sent).filter(|(word, sent)| word != sent).count();
    assert!(found == prefixed && changed == keys.len(), "{before:?} is sent as {sent:?}");
    Some(keys.len())
}

/// Returns whether COMMAND GETKEYS takes the name of a group, or a unit, for an option. The commands themselves do not.
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

/// Returns a hash of all keys and values of a tenant, and the numbers of keys of both tenants and of nobody.
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

/// After each random command, no key lacks a tenant and the other tenant's data is unchanged.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn random_commands_leave_other_tenants_data_unchanged() {
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
        // Keys that expire during the round would change the other tenant's data.
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

/// Commands that redis-rs sends and that Redis 7.0 lacks, or has with fewer arguments.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn newer_commands_stay_in_their_tenant() {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    for line in ["HSET h f v", "ZADD z 1 m", "SET s v", "XADD x 1-1 f v"] {
        ask::<Value>(&mut a, line);
        ask::<Value>(&mut b, line);
    }
    let before = server.dump(PREFIX_B);
    let mut known = 0;
    for line in [
        "ZRANK z m WITHSCORE",
        "HGETEX h PERSIST FIELDS 1 f",
        "HEXPIRE h 100 FIELDS 1 f",
        "HTTL h FIELDS 1 f",
        "HSETEX h EX 100 FIELDS 1 f w",
        "HGETDEL h FIELDS 1 f",
        "XDELEX x KEEPREF IDS 1 1-1",
        "VADD v VALUES 2 1 1 e",
        "VCARD v",
        "DELIFEQ s v",
        "MSETEX 2 m1 v m2 v EX 100",
    ] {
        match command(line).query::<Value>(&mut a) {
            Ok(value) => {
                known += 1;
                assert!(value != Value::Nil, "{line} found no key");
            }
            Err(error) => {
                assert_eq!(refusal(&error), None, "{line}: {error}");
                let text = error.to_string();
                let is_older = text.contains("unknown command") || text.contains("wrong number of arguments");
                assert!(is_older, "{line}: {error}");
            }
        }
    }
    println!("the server knows {known} of the commands");
    assert_eq!(server.dump(PREFIX_B), before);
    assert!(server.keys().iter().all(|key| key.starts_with(b"t:0")));
}
