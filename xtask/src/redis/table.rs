//! `cargo xtask redis-table`: where a server's commands have their keys, as a file of Rust.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Server, rules};
use crate::process::root;

const FILE: &str = "crates/tenancy-redis/src/table/commands.rs";

/// The most spans that the crate keeps of one command.
const SPANS: usize = 2;

/// Most commands have their only key there.
const FIRST: &str = "Span::Range { first: 1, last: 0, step: 1 }";

/// A command or subcommand, as the server tells it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Of a subcommand, with the command's and a `|`.
    pub(super) name: String,
    arity: i64,
    /// Flags, and categories with their `@`.
    pub(super) flags: Vec<String>,
    pub(super) specs: Vec<Value>,
    pub(super) subcommands: Vec<Entry>,
}

/// Writes the table anew.
pub(crate) fn write() -> Result<()> {
    super::set_up()?;
    let server = Server::start()?;
    let table = render(&commands(&server)?, &version(&server)?)?;
    fs::write(root().join(FILE), table)?;
    println!("    {FILE} is written");
    Ok(())
}

fn version(server: &Server) -> Result<String> {
    let hello = server.ask(&["HELLO", "3"])?;
    Ok(hello["version"].as_str().context("HELLO tells no version")?.to_owned())
}

fn commands(server: &Server) -> Result<Vec<Entry>> {
    let reply = server.ask(&["COMMAND"])?;
    let mut entries = read_all(&reply)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn read_all(list: &Value) -> Result<Vec<Entry>> {
    list.as_array().context("a list of commands")?.iter().map(read).collect()
}

/// The ten fields of <https://redis.io/docs/latest/commands/command/>.
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

/// A command with subcommands; where one reason refuses them all, that is the rule.
fn within(entry: &Entry) -> Result<String> {
    let rules: Vec<_> = entry.subcommands.iter().map(rule).collect::<Result<_>>()?;
    if let [first, rest @ ..] = &rules[..]
        && first.starts_with("Rule::Refuse")
        && rest.iter().all(|rule| rule == first)
    {
        return Ok(first.clone());
    }
    let mut list = "Rule::Within(&[\n".to_owned();
    for subcommand in &entry.subcommands {
        writeln!(list, "        {},", command(subcommand)?)?;
    }
    list.push_str("    ])");
    Ok(list)
}

/// `None` where the server leaves something open.
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
