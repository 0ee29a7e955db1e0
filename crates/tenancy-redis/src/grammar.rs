//! The commands whose options hold keys. What is not here is not an option: unknown ones are refused, for the
//! next argument may be a key.

use crate::reply::Reply;

/// What follows the name of a command.
#[derive(Debug)]
pub(crate) struct Grammar {
    /// What stands before the options.
    pub(crate) operands: &'static [Operand],
    /// Names in lower case, and what follows each.
    pub(crate) options: &'static [(&'static str, &'static [Operand])],
    /// The option without which the server knows no command of this name.
    pub(crate) required: Option<&'static str>,
    pub(crate) reply: Reply,
    /// A pattern is put in where there is none, and two are refused: the server takes the last.
    pub(crate) matches: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    Plain,
    /// A number: what is none may be an option to a reader who counts otherwise.
    Number,
    /// A key, or a pattern of keys.
    Key,
    /// A pattern of keys, or `#`: the element itself.
    KeyOrElement,
    /// The rest is keys, and as many ids.
    Streams,
    /// How long the server would wait.
    Wait,
}

use Operand::{Key, KeyOrElement, Number, Plain, Streams, Wait};

pub(crate) static COPY: Grammar = Grammar {
    operands: &[Key, Key],
    options: &[("replace", &[])],
    required: None,
    reply: Reply::Plain,
    matches: false,
};

pub(crate) static SCAN: Grammar = Grammar {
    operands: &[Plain],
    options: &[("match", &[Key]), ("count", &[Number]), ("type", &[Plain])],
    required: None,
    reply: Reply::Scan,
    matches: true,
};

const SORTING: &[(&str, &[Operand]); 7] = &[
    ("by", &[Key]),
    ("limit", &[Number, Number]),
    ("get", &[KeyOrElement]),
    ("asc", &[]),
    ("desc", &[]),
    ("alpha", &[]),
    ("store", &[Key]),
];

/// The server refuses STORE here.
const SORTING_READ_ONLY: &[(&str, &[Operand])] = {
    let [read_only @ .., _store] = SORTING;
    read_only
};

pub(crate) static SORT: Grammar =
    Grammar { operands: &[Key], options: SORTING, required: None, reply: Reply::Plain, matches: false };

pub(crate) static SORT_RO: Grammar = Grammar {
    operands: &[Key],
    options: SORTING_READ_ONLY,
    required: None,
    reply: Reply::Plain,
    matches: false,
};

const GEO: &[(&str, &[Operand])] = &[
    ("withcoord", &[]),
    ("withdist", &[]),
    ("withhash", &[]),
    ("any", &[]),
    ("count", &[Number]),
    ("asc", &[]),
    ("desc", &[]),
    ("store", &[Key]),
    ("storedist", &[Key]),
];

pub(crate) static GEORADIUS: Grammar = Grammar {
    operands: &[Key, Plain, Plain, Plain, Plain],
    options: GEO,
    required: None,
    reply: Reply::Plain,
    matches: false,
};

pub(crate) static GEORADIUSBYMEMBER: Grammar = Grammar {
    operands: &[Key, Plain, Plain, Plain],
    options: GEO,
    required: None,
    reply: Reply::Plain,
    matches: false,
};

pub(crate) static XREAD: Grammar = Grammar {
    operands: &[],
    options: &[("count", &[Number]), ("block", &[Wait]), ("streams", &[Streams])],
    required: None,
    reply: Reply::Streams,
    matches: false,
};

pub(crate) static XREADGROUP: Grammar = Grammar {
    operands: &[],
    options: &[
        ("group", &[Plain, Plain]),
        ("count", &[Number]),
        ("block", &[Wait]),
        ("noack", &[]),
        // Redis 8.4.
        ("claim", &[Number]),
        ("streams", &[Streams]),
    ],
    required: Some("group"),
    reply: Reply::Streams,
    matches: false,
};
