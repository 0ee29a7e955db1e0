//! A command, and the places of its keys.

use crate::grammar::Grammar;
use crate::refusal::Refusal;

/// The number of servers that the table is made of.
const SERVERS: usize = 3;

/// A command, or a subcommand.
#[derive(Debug)]
pub(crate) struct Command {
    /// How its name begins: numbers are compared faster than names.
    pub(super) start: u64,
    /// Whether that is all of it, and letters alone.
    is_short: bool,
    /// In lower case.
    pub(crate) name: &'static str,
    /// The number of arguments with the name; below zero, the smallest number. 0 where the server lacks the command.
    ///
    /// The generated file names the servers. A command that none of them has is known by its documentation.
    #[cfg_attr(not(feature = "acl"), allow(dead_code, reason = "only ACLs depend on the server at hand"))]
    arities: [i8; SERVERS],
    /// The arity that accepts whatever one of the servers accepts.
    arity: i8,
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

/// The first eight bytes, letters in lower case. The bit that tells the cases apart is set in all bytes: what is no
/// letter may meet another here.
#[inline]
pub(super) const fn start(name: &[u8]) -> u64 {
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
#[inline]
const fn word(name: &[u8], at: usize) -> u64 {
    u32::from_be_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]) as u64
}

impl Command {
    pub(super) const fn new(name: &'static str, arities: [i8; SERVERS], rule: Rule) -> Self {
        let is_short = is_short(name.as_bytes());
        let arity = widest(arities);
        Self { start: start(name.as_bytes()), is_short, name, arities, arity, creates: false, rule }
    }

    /// A command that can create a key.
    pub(super) const fn creating(name: &'static str, arities: [i8; SERVERS], rule: Rule) -> Self {
        Self { creates: true, ..Self::new(name, arities, rule) }
    }

    /// A command that none of the servers has. Its keys are known by its documentation.
    pub(super) const fn documented(name: &'static str, arity: i8, rule: Rule) -> Self {
        Self { arity, ..Self::new(name, [0; SERVERS], rule) }
    }

    /// A command of the documentation that can create a key.
    pub(super) const fn documented_creating(name: &'static str, arity: i8, rule: Rule) -> Self {
        Self { creates: true, ..Self::documented(name, arity, rule) }
    }

    /// Returns whether one of the servers has the command.
    #[cfg(feature = "acl")]
    pub(super) fn is_of_a_server(&self) -> bool {
        self.arities.iter().any(|arity| *arity != 0)
    }

    /// Returns whether each of the servers has the command.
    #[cfg(feature = "acl")]
    pub(super) fn is_of_each_server(&self) -> bool {
        self.arities.iter().all(|arity| *arity != 0)
    }

    #[inline]
    pub(super) fn is(&self, start: u64, name: &[u8]) -> bool {
        self.start == start
            && self.name.len() == name.len()
            && (self.is_short || name.eq_ignore_ascii_case(self.name.as_bytes()))
    }

    #[inline]
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= arity } else { arguments == arity }
    }
}

/// Returns the arity that accepts whatever one of the arities accepts.
const fn widest(arities: [i8; SERVERS]) -> i8 {
    let (mut widest, mut at) = (0, 0);
    while at < SERVERS {
        let arity = arities[at];
        if widest == 0 {
            widest = arity;
        } else if arity != 0 && arity != widest {
            let (arity, most) = (arity.unsigned_abs(), widest.unsigned_abs());
            widest = -(if arity < most { arity } else { most }).cast_signed();
        }
        at += 1;
    }
    widest
}

#[cfg(test)]
mod tests {
    #[test]
    fn arity_accepts_what_one_of_the_servers_accepts() {
        for (arities, widest) in [
            ([2, 2, 2], 2),
            ([3, -3, -3], -3),
            ([0, -5, 0], -5),
            ([-4, -3, -3], -3),
            ([2, 3, 0], -2),
            ([0, 0, 0], 0),
        ] {
            assert_eq!(super::widest(arities), widest, "{arities:?}");
        }
    }
}
