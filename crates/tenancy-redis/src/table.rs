//! Which commands there are, and where their keys stand.

mod command;
#[rustfmt::skip]
mod commands;
#[cfg(feature = "acl")]
mod grants;

use self::command::start;
pub(crate) use self::command::{Command, Rule, ScriptBy, Span};
#[cfg(feature = "acl")]
pub(crate) use self::grants::{common_grants, grants, with_foreign_key};

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
#[inline]
const fn slot(start: u64) -> usize {
    (start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

/// The command of a name, in any case.
#[inline]
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
