//! What of the table a Redis user of a tenant's own may run.

use super::command::{Command, Rule};
use super::commands;

/// The commands, as an ACL names them: `get`, `object|encoding`.
pub(crate) fn grants(scripts: bool) -> impl Iterator<Item = String> {
    commands::COMMANDS.iter().flat_map(move |command| granted(command, scripts))
}

/// Commands whose keys a server of version 7.0 does not hold against the user's patterns in each of their forms:
/// of two STORE it looks at the first, and the second is written; and where no source follows, it finds no key at all.
const UNCHECKED: [&str; 3] = ["georadius", "georadiusbymember", "pfmerge"];

/// The commands of [`grants`] that each of the servers of the table has.
pub(crate) fn common_grants(scripts: bool) -> impl Iterator<Item = String> {
    let common = commands::COMMANDS.iter().filter(|command| command.is_of_each_server());
    common.flat_map(move |command| granted(command, scripts))
}

fn granted(command: &Command, scripts: bool) -> Vec<String> {
    let Rule::Subcommands(subcommands) = command.rule else {
        // A module may check no key at all.
        let is_held = command.is_of_a_server()
            && !UNCHECKED.contains(&command.name)
            && is_confined(&command.rule, scripts);
        return if is_held { vec![command.name.to_owned()] } else { Vec::new() };
    };
    let confined = subcommands.iter().filter(|subcommand| is_confined(&subcommand.rule, scripts));
    confined.map(|subcommand| format!("{}|{}", command.name, subcommand.name)).collect()
}

/// Whether the patterns of an ACL hold a command: those of keys don't hold KEYS and SCAN (redis/redis#8152).
fn is_confined(rule: &Rule, scripts: bool) -> bool {
    match rule {
        Rule::First | Rule::Keys(_) | Rule::Pop(_) => true,
        Rule::Options(grammar) => !grammar.matches,
        Rule::DedicatedOnly(_, rule) => is_confined(rule, scripts),
        Rule::Script(_) | Rule::LoadScript => scripts,
        Rule::Refuse(_) | Rule::List(_) | Rule::Subcommands(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_does_not_hold_is_not_granted() {
        let granted: Vec<_> = grants(false).collect();
        for name in ["get", "sort", "xread", "hscan", "blpop", "watch", "object|encoding", "xgroup|create"] {
            assert!(granted.iter().any(|granted| granted == name), "{name}");
        }
        for name in [
            "keys",
            "scan",
            "randomkey",
            "dbsize",
            "flushall",
            "flushdb",
            "swapdb",
            "move",
            "migrate",
            "config",
            "acl",
            "object",
            "object|help",
            "script|flush",
            "eval",
            "fcall",
            "client|kill",
        ] {
            assert!(!granted.iter().any(|granted| granted == name), "{name}");
        }
    }

    #[test]
    fn scripts_are_granted_where_they_are_asked_for() {
        let without: Vec<_> = grants(false).collect();
        let added: Vec<_> = grants(true).filter(|name| !without.contains(name)).collect();
        assert_eq!(added, ["eval", "eval_ro", "evalsha", "evalsha_ro", "script|load"]);
    }
}
