//! Which commands there are, and where their keys stand.

#[rustfmt::skip]
mod commands;
#[cfg(feature = "acl")]
mod grants;

#[cfg(feature = "acl")]
pub(crate) use self::grants::grants;
use crate::grammar::Grammar;
use crate::refusal::Refusal;

/// A command, or a subcommand.
#[derive(Debug)]
pub(crate) struct Command {
    /// How its name begins: numbers are compared faster than names.
    start: u64,
    /// Whether that is all of it, and letters alone.
    is_short: bool,
    /// In lower case.
    pub(crate) name: &'static str,
    /// As the server has it: how many arguments with the name, or below zero, how many at least.
    pub(crate) arity: i8,
    /// Whether it can make a key.
    pub(crate) creates: bool,
    pub(crate) rule: Rule,
}

/// What is done with a command.
#[derive(Debug)]
pub(crate) enum Rule {
    Refuse(Refusal),
    /// The first argument is the only key.
    First,
    /// The keys stand where the spans are.
    Keys(&'static [Span]),
    /// The same, and the reply begins with one of them.
    Pop(&'static [Span]),
    /// The pattern stands where a key would, and the reply is made of keys.
    List(&'static [Span]),
    /// Options say what is a key.
    Options(&'static Grammar),
    /// A script, which the program must vouch for. Its text or its hash is the next argument; keys follow, if any.
    Script(ScriptBy),
    /// A script's text alone.
    LoadScript,
    /// Refused where others share the connection.
    DedicatedOnly(Refusal, &'static Rule),
    /// The next argument is the command.
    Subcommands(&'static [Command]),
}

/// What a script is called by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScriptBy {
    Text,
    Hash,
}

/// Keys in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Span {
    /// From one place to another: above zero, after the first; below zero, from the end.
    Range { first: usize, last: isize, step: usize },
    /// As many as the argument at a place says.
    Counted { count: usize, first: usize, step: usize },
}

/// More than twice as many as there are commands, and a power of two.
const SLOTS: usize = 1024;

/// Which command is in which slot: found in one step, where a search takes eight that can't be foreseen.
static INDEX: [Option<u16>; SLOTS] = index();

#[allow(
    clippy::cast_possible_truncation,
    reason = "a table that is longer has no free slot: it does not compile"
)]
const fn index() -> [Option<u16>; SLOTS] {
    let mut index = [None; SLOTS];
    let mut at = 0;
    while at < commands::COMMANDS.len() {
        let mut slot = slot(commands::COMMANDS[at].start);
        while index[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = Some(at as u16);
        at += 1;
    }
    index
}

/// The high bits of a product, which depend on all bits of both factors.
#[allow(clippy::cast_possible_truncation, reason = "ten bits")]
const fn slot(start: u64) -> usize {
    (start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

/// The command of a name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    let start = start(name);
    let mut slot = slot(start);
    while let Some(at) = INDEX[slot % SLOTS] {
        let command = commands::COMMANDS.get(usize::from(at))?;
        if command.is(start, name) {
            return Some(command);
        }
        slot += 1;
    }
    None
}

/// The same among subcommands, which are few.
pub(crate) fn within(commands: &'static [Command], name: &[u8]) -> Option<&'static Command> {
    let start = start(name);
    commands.iter().find(|command| command.is(start, name))
}

/// The first eight bytes, letters in lower case. The bit that tells the cases apart is set in all bytes: what is no
/// letter may meet another here.
const fn start(name: &[u8]) -> u64 {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let bytes = match name {
        // Two halves that overlap, where there are four to eight.
        [_, _, _, _, ..] if name.len() < 8 => (word(name, 0) << 32) | word(name, name.len() - 4),
        [_, _, _, _, ..] => (word(name, 0) << 32) | word(name, 4),
        [a, b, c] => u64::from_be_bytes([0, 0, 0, 0, 0, *a, *b, *c]),
        _ => 0,
    };
    bytes | LOWER
}

/// Whether no other name of this length, but for the cases, has the same start.
const fn is_short(name: &[u8]) -> bool {
    let mut at = 0;
    while at < name.len() {
        if !name[at].is_ascii_alphabetic() {
            return false;
        }
        at += 1;
    }
    name.len() >= 3 && name.len() <= 8
}

/// Four bytes from a place on.
const fn word(name: &[u8], at: usize) -> u64 {
    u32::from_be_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]) as u64
}

impl Command {
    const fn new(name: &'static str, arity: i8, rule: Rule) -> Self {
        let is_short = is_short(name.as_bytes());
        Self { start: start(name.as_bytes()), is_short, name, arity, creates: false, rule }
    }

    /// One that can make a key.
    const fn creating(name: &'static str, arity: i8, rule: Rule) -> Self {
        Self { creates: true, ..Self::new(name, arity, rule) }
    }

    fn is(&self, start: u64, name: &[u8]) -> bool {
        self.start == start
            && self.name.len() == name.len()
            && (self.is_short || name.eq_ignore_ascii_case(self.name.as_bytes()))
    }

    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= arity } else { arguments == arity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_found_and_no_subcommand_is_one() {
        for command in commands::COMMANDS {
            assert_eq!(find(command.name.to_uppercase().as_bytes()).expect("a command").name, command.name);
            let Rule::Subcommands(subcommands) = command.rule else { continue };
            for subcommand in subcommands {
                let found = within(subcommands, subcommand.name.to_uppercase().as_bytes());
                assert_eq!(found.expect("a subcommand").name, subcommand.name);
            }
        }
        assert!(find(b"encoding").is_none());
    }

    #[test]
    fn half_of_the_index_is_free() {
        assert!(commands::COMMANDS.len() * 2 < SLOTS, "{}", commands::COMMANDS.len());
    }

    #[test]
    fn a_name_is_found_in_any_case_and_in_no_other_spelling() {
        for name in ["get", "GET", "GeT"] {
            assert_eq!(find(name.as_bytes()).expect("a command").name, "get");
        }
        for name in [
            "",
            "GET ",
            " GET",
            "\x07ET",
            "bitfield\x7fro",
            "sort\x7fro",
            "GET\x20",
            "ge\x14",
            "GET\0",
            "GET\r\n",
            "memory|usage",
            "GETT",
            "ge",
        ] {
            assert!(find(name.as_bytes()).is_none(), "{name:?}");
        }
        assert!(find(&[b'a'; 1000]).is_none());
    }
}
