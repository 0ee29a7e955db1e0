//! `cargo xtask redis-table`: the positions of keys in the commands of a Redis server, as Rust source.

mod documented;
mod entry;
mod merge;
mod rules;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tenancy_testkit::RedisServer;

use crate::process::{Step, root};
use crate::servers::REDIS;
use entry::Entry;

const FILE: &str = "crates/tenancy-redis/src/table/commands.rs";

/// The largest number of spans that the crate stores for a command.
const SPANS: usize = 2;

/// The position of the only key of most commands.
const FIRST: &str = "Span::Range { first: 1, last: 0, step: 1 }";

/// Writes the table of the supported servers, or compares it with them and with other servers.
pub(crate) fn run(check: bool, others: &[PathBuf]) -> Result<()> {
    let mut lists = Vec::new();
    let mut versions = Vec::new();
    for kind in REDIS {
        // The table names each server: without one of them it would lose commands.
        let (list, version) = describe(&kind.program()?)?;
        lists.push(list);
        versions.push(version);
    }
    let table = render(&merge::merge(lists.clone())?, &versions)?;
    let file = root().join(FILE);
    if check || !others.is_empty() {
        ensure!(fs::read_to_string(&file)? == table, "{FILE} differs from {}", versions.join(", "));
        println!("    {FILE} is that of {}", versions.join(", "));
    } else {
        fs::write(file, table)?;
        println!("    {FILE} is written, of {}", versions.join(", "));
    }
    let known = names(&lists);
    for program in others {
        let (list, version) = describe(program)?;
        let missing: Vec<_> = names(std::slice::from_ref(&list)).difference(&known).cloned().collect();
        lists.push(list);
        merge::merge(lists.clone()).with_context(|| format!("the table does not fit {version}"))?;
        println!("    {version} fits; commands that the table refuses as unknown: {}", missing.join(", "));
    }
    Ok(())
}

/// Returns the commands of a server, and its name and version.
fn describe(program: &Path) -> Result<(Vec<Entry>, String)> {
    let server = RedisServer::options().program(program).start()?;
    Ok((commands(&server)?, version(&server)?))
}

/// Returns the names of the commands of these servers and of the documentation.
fn names(lists: &[Vec<Entry>]) -> BTreeSet<String> {
    let of_servers = lists.iter().flatten().map(|entry| entry.name.clone());
    of_servers.chain(documented::COMMANDS.iter().map(|command| command.name.to_owned())).collect()
}

fn version(server: &RedisServer) -> Result<String> {
    let hello = ask(server, &["HELLO", "3"])?;
    let field =
        |name: &str| hello[name].as_str().with_context(|| format!("the reply to HELLO contains no {name}"));
    Ok(format!("{} {}", field("server")?, field("version")?))
}

/// Sends a command with redis-cli, and returns the reply in the form of JSON.
fn ask(server: &RedisServer, arguments: &[&str]) -> Result<Value> {
    let reply =
        Step::new("redis-cli").arg("-s").arg(server.socket()).arg("--json").args(arguments).output()?;
    Ok(serde_json::from_str(&reply)?)
}

fn commands(server: &RedisServer) -> Result<Vec<Entry>> {
    read_all(&ask(server, &["COMMAND"])?)
}

fn read_all(list: &Value) -> Result<Vec<Entry>> {
    list.as_array().context("a list of commands")?.iter().map(read).collect()
}

/// Reads the ten fields of <https://redis.io/docs/latest/commands/command/>.
fn read(fields: &Value) -> Result<Entry> {
    let texts = |at: usize| -> Result<Vec<String>> {
        let list = fields[at].as_array().with_context(|| format!("field {at} of a command is a list"))?;
        list.iter().map(|text| Ok(text.as_str().context("a text")?.to_owned())).collect()
    };
    let name = fields[0].as_str().context("a name")?;
    Ok(Entry {
        name: name.to_lowercase(),
        arities: vec![fields[1].as_i64().context("an arity")?],
        flags: [texts(2)?, texts(6)?].concat(),
        specs: fields[8].as_array().context("specifications of keys")?.clone(),
        subcommands: read_all(&fields[9])?,
    })
}

fn render(entries: &[Entry], versions: &[String]) -> Result<String> {
    let mut table = format!(
        "//! The commands of {}, and of the documentation: written by `cargo xtask redis-table`, not by hand.\n\n\
         use super::command::{{Command, Rule, ScriptBy, Span}};\n\
         use crate::grammar;\n\
         use crate::refusal::Refusal;\n\n\
         /// The numbers of arguments are those of {}, in this order.\n\
         pub(super) const COMMANDS: &[Command] = &[\n",
        versions.join(", "),
        versions.join(", "),
    );
    let mut lines =
        entries.iter().map(|entry| Ok((&*entry.name, command(entry)?))).collect::<Result<Vec<_>>>()?;
    let is_known = |name: &str| entries.iter().any(|entry| entry.name == name);
    lines.extend(
        documented::COMMANDS.iter().filter(|command| !is_known(command.name)).map(|c| (c.name, c.render())),
    );
    lines.sort_unstable();
    for (_, line) in lines {
        writeln!(table, "    {line},")?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn command(entry: &Entry) -> Result<String> {
    let are_small = entry.arities.iter().all(|arity| i8::try_from(*arity).is_ok());
    ensure!(are_small, "{} has arities of {:?}", entry.name, entry.arities);
    let rule = rule(entry)?;
    let made = if rules::creates(entry) { "creating" } else { "new" };
    let name = entry.name.rsplit('|').next().unwrap_or_default();
    Ok(format!("Command::{made}({name:?}, {:?}, {rule})", entry.arities))
}

fn rule(entry: &Entry) -> Result<String> {
    let by_hand = rules::BY_NAME.iter().find(|(name, _)| *name == entry.name);
    if let Some(rule) = by_hand.map(|(_, rule)| *rule).or_else(|| rules::refused(entry)) {
        return Ok(rule.to_owned());
    }
    if entry.subcommands.is_empty() {
        let spans: Option<Vec<_>> = entry.specs.iter().map(span).collect();
        return Ok(match spans {
            Some(spans) if spans == [FIRST] => "Rule::First".to_owned(),
            Some(spans) if spans.len() <= SPANS => format!("Rule::Keys(&[{}])", spans.join(", ")),
            _ => rules::UNCLEAR.to_owned(),
        });
    }
    within(entry)
}

/// Returns the rule of a command with subcommands. If all of them are refused for the same reason, that is the rule.
fn within(entry: &Entry) -> Result<String> {
    let rules: Vec<_> = entry.subcommands.iter().map(rule).collect::<Result<_>>()?;
    if let [first, rest @ ..] = &rules[..]
        && first.starts_with("Rule::Refuse")
        && rest.iter().all(|rule| rule == first)
    {
        return Ok(first.clone());
    }
    let mut list = "Rule::Subcommands(&[\n".to_owned();
    for subcommand in &entry.subcommands {
        writeln!(list, "        {},", command(subcommand)?)?;
    }
    list.push_str("    ])");
    Ok(list)
}

/// Returns `None` if the server does not report the keys completely.
pub(super) fn span(spec: &Value) -> Option<String> {
    let flags = spec["flags"].as_array()?;
    if flags.iter().any(|flag| flag == "incomplete" || flag == "not_key") {
        return None;
    }
    let (begin, keys) = (&spec["begin_search"], &spec["find_keys"]);
    if begin["type"] != "index" {
        return None;
    }
    let first = begin["spec"]["index"].as_u64()?;
    let place = |name: &str| keys["spec"][name].as_i64();
    let step = place("keystep").filter(|step| *step > 0)?;
    match keys["type"].as_str()? {
        "range" if place("limit")? == 0 => {
            let last = place("lastkey")?;
            Some(format!("Span::Range {{ first: {first}, last: {last}, step: {step} }}"))
        }
        "keynum" => {
            let (count, first) =
                (first + place("keynumidx")?.cast_unsigned(), first + place("firstkey")?.cast_unsigned());
            Some(format!("Span::Counted {{ count: {count}, first: {first}, step: {step} }}"))
        }
        _ => None,
    }
}
