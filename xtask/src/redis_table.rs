//! `cargo xtask redis-table`: the positions of keys in the commands of a Redis server, as Rust source.

mod entry;
mod rules;

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tenancy_testkit::RedisServer;

use crate::process::{Step, root};
use crate::servers::need_redis;
use entry::Entry;

const FILE: &str = "crates/tenancy-redis/src/table/commands.rs";

/// The largest number of spans that the crate stores for a command.
const SPANS: usize = 2;

/// The position of the only key of most commands.
const FIRST: &str = "Span::Range { first: 1, last: 0, step: 1 }";

/// Generates the table.
pub(crate) fn write() -> Result<()> {
    need_redis()?;
    let server = RedisServer::start()?;
    let table = render(&commands(&server)?, &version(&server)?)?;
    fs::write(root().join(FILE), table)?;
    println!("    {FILE} is written");
    Ok(())
}

fn version(server: &RedisServer) -> Result<String> {
    let hello = ask(server, &["HELLO", "3"])?;
    Ok(hello["version"].as_str().context("the reply to HELLO contains no version")?.to_owned())
}

/// Sends a command with redis-cli, and returns the reply in the form of JSON.
fn ask(server: &RedisServer, arguments: &[&str]) -> Result<Value> {
    let reply =
        Step::new("redis-cli").arg("-s").arg(server.socket()).arg("--json").args(arguments).output()?;
    Ok(serde_json::from_str(&reply)?)
}

fn commands(server: &RedisServer) -> Result<Vec<Entry>> {
    let reply = ask(server, &["COMMAND"])?;
    let mut entries = read_all(&reply)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
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
    let mut subcommands = read_all(&fields[9])?;
    subcommands.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Entry {
        name: name.to_lowercase(),
        arity: fields[1].as_i64().context("an arity")?,
        flags: [texts(2)?, texts(6)?].concat(),
        specs: fields[8].as_array().context("specifications of keys")?.clone(),
        subcommands,
    })
}

fn render(entries: &[Entry], version: &str) -> Result<String> {
    let mut table = format!(
        "//! The commands of redis-server {version}: written by `cargo xtask redis-table`, not by hand.\n\n\
         use super::{{Command, Rule, ScriptBy, Span}};\n\
         use crate::grammar;\n\
         use crate::refusal::Refusal;\n\n\
         pub(super) const COMMANDS: &[Command] = &[\n"
    );
    for entry in entries {
        writeln!(table, "    {},", command(entry)?)?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn command(entry: &Entry) -> Result<String> {
    ensure!(i8::try_from(entry.arity).is_ok(), "{} has an arity of {}", entry.name, entry.arity);
    let rule = rule(entry)?;
    let made = if rules::creates(entry) { "creating" } else { "new" };
    let name = entry.name.rsplit('|').next().unwrap_or_default();
    Ok(format!("Command::{made}({name:?}, {}, {rule})", entry.arity))
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
fn span(spec: &Value) -> Option<String> {
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
