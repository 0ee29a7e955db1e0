//! What of the table a Redis user of a tenant's own may run.

use super::command::{Command, Rule, Span};
use super::commands;

/// The commands, as an ACL names them: `get`, `object|encoding`.
pub(crate) fn grants(scripts: bool) -> impl Iterator<Item = String> {
    commands::COMMANDS.iter().flat_map(move |command| granted(command, scripts))
}

/// Returns the words of a granted command with the key `0`, which belongs to no tenant, or `None` for a command without
/// keys.
pub(crate) fn with_foreign_key(name: &str, fewest_words: usize) -> Option<Vec<String>> {
    let mut words: Vec<String> = name.split('|').map(str::to_owned).collect();
    let named =
        |commands: &'static [Command], name: &str| commands.iter().find(|command| command.name == name);
    let command = named(commands::COMMANDS, &words[0])?;
    let command = match (&command.rule, words.get(1)) {
        (Rule::Subcommands(commands), Some(subcommand)) => named(commands, subcommand)?,
        _ => command,
    };
    let rule = if let Rule::DedicatedOnly(_, rule) = &command.rule { rule } else { &command.rule };
    let (spans, options) = match rule {
        Rule::Keys(spans) | Rule::Pop(spans) => (*spans, ""),
        Rule::Script(_) => (&[Span::Counted { count: 2, first: 3, step: 1 }][..], ""),
        Rule::Options(_) if name == "xread" => (&[][..], "streams 0 0"),
        Rule::Options(_) if name == "xreadgroup" => (&[][..], "group g c streams 0 >"),
        Rule::First | Rule::Options(_) => (&[Span::Range { first: 1, last: 0, step: 1 }][..], ""),
        _ => return None,
    };
    words.extend(options.split_terminator(' ').map(str::to_owned));
    let fill = |words: &mut Vec<String>, length: usize| words.resize(length.max(words.len()), "0".to_owned());
    fill(&mut words, fewest_words);
    for span in spans {
        match *span {
            // A module states no number of arguments.
            Span::Range { first, .. } => fill(&mut words, first + 1),
            Span::Counted { count, first, step } => {
                fill(&mut words, first + step);
                "1".clone_into(&mut words[count]);
            }
        }
    }
    (!spans.is_empty() || !options.is_empty()).then_some(words)
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
    fn foreign_key_stands_where_the_server_looks_for_it() {
        for (name, fewest, words) in [
            ("get", 2, Some("get 0")),
            ("mset", 3, Some("mset 0 0")),
            ("object|encoding", 3, Some("object encoding 0")),
            ("zunion", 3, Some("zunion 1 0")),
            ("zunionstore", 4, Some("zunionstore 0 1 0")),
            ("blmpop", 5, Some("blmpop 0 1 0 0")),
            ("msetex", 4, Some("msetex 1 0 0")),
            ("xread", 4, Some("xread streams 0 0")),
            ("eval", 3, Some("eval 0 1 0")),
            ("sort_ro", 2, Some("sort_ro 0")),
            ("vadd", 1, Some("vadd 0")),
            ("echo", 2, None),
            ("script|load", 3, None),
        ] {
            let found = with_foreign_key(name, fewest).map(|words| words.join(" "));
            assert_eq!(found.as_deref(), words);
        }
    }

    #[test]
    fn scripts_are_granted_where_they_are_asked_for() {
        let without: Vec<_> = grants(false).collect();
        let added: Vec<_> = grants(true).filter(|name| !without.contains(name)).collect();
        assert_eq!(added, ["eval", "eval_ro", "evalsha", "evalsha_ro", "script|load"]);
    }
}
