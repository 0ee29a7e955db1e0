//! The facts about commands that a server does not report: which of them are allowed, and what their replies contain.

use super::entry::Entry;

/// Rules written by hand, by the name of the command, or `command|subcommand`.
pub(super) const BY_NAME: [(&str, &str); 39] = [
    // These commands do not read or write data.
    ("echo", "Rule::Keys(&[])"),
    ("ping", "Rule::Keys(&[])"),
    ("time", "Rule::Keys(&[])"),
    // A channel is a name, like a key.
    ("publish", FIRST),
    ("spublish", FIRST),
    // Their replies contain keys.
    ("keys", "Rule::List(&[Span::Range { first: 1, last: 0, step: 1 }])"),
    ("lmpop", POP_OF_COUNTED),
    ("zmpop", POP_OF_COUNTED),
    // Their options contain keys, another database, or a time to wait.
    ("copy", "Rule::Options(&grammar::COPY)"),
    ("georadius", "Rule::Options(&grammar::GEORADIUS)"),
    ("georadiusbymember", "Rule::Options(&grammar::GEORADIUSBYMEMBER)"),
    ("scan", "Rule::Options(&grammar::SCAN)"),
    ("sort", "Rule::Options(&grammar::SORT)"),
    ("sort_ro", "Rule::Options(&grammar::SORT_RO)"),
    ("xread", "Rule::Options(&grammar::XREAD)"),
    ("xreadgroup", "Rule::Options(&grammar::XREADGROUP)"),
    // They are allowed on a dedicated connection only. The replies of some begin with the key.
    ("blpop", BLOCKING_POP),
    ("brpop", BLOCKING_POP),
    ("bzpopmax", BLOCKING_POP),
    ("bzpopmin", BLOCKING_POP),
    ("blmpop", BLOCKING_POP_OF_COUNTED),
    ("bzmpop", BLOCKING_POP_OF_COUNTED),
    ("blmove", BLOCKING_MOVE),
    ("brpoplpush", BLOCKING_MOVE),
    (
        "watch",
        "Rule::DedicatedOnly(Refusal::ConnectionState, &Rule::Keys(&[Span::Range { first: 1, last: -1, step: 1 }]))",
    ),
    ("unwatch", "Rule::DedicatedOnly(Refusal::ConnectionState, &Rule::Keys(&[]))"),
    // The program can declare scripts as trusted.
    ("eval", BY_TEXT),
    ("eval_ro", BY_TEXT),
    ("evalsha", BY_HASH),
    ("evalsha_ro", BY_HASH),
    ("script|load", "Rule::LoadScript"),
    // They use another database or server, or load a serialized value.
    ("migrate", ADMIN),
    ("move", ADMIN),
    ("restore", ADMIN),
    ("restore-asking", ADMIN),
    // They wait for the replication of all writes of the connection.
    ("wait", BLOCKING),
    ("waitaof", BLOCKING),
    ("command", ADMIN),
    ("info", ADMIN),
];

const FIRST: &str = "Rule::First";
const POP_OF_COUNTED: &str = "Rule::Pop(&[Span::Counted { count: 1, first: 2, step: 1 }])";
const BLOCKING_POP: &str =
    "Rule::DedicatedOnly(Refusal::Blocking, &Rule::Pop(&[Span::Range { first: 1, last: -2, step: 1 }]))";
const BLOCKING_POP_OF_COUNTED: &str =
    "Rule::DedicatedOnly(Refusal::Blocking, &Rule::Pop(&[Span::Counted { count: 2, first: 3, step: 1 }]))";
const BLOCKING_MOVE: &str =
    "Rule::DedicatedOnly(Refusal::Blocking, &Rule::Keys(&[Span::Range { first: 1, last: 1, step: 1 }]))";
const BY_TEXT: &str = "Rule::Script(ScriptBy::Text)";
const BY_HASH: &str = "Rule::Script(ScriptBy::Hash)";
const ADMIN: &str = "Rule::Refuse(Refusal::AdminCommand)";
const BLOCKING: &str = "Rule::Refuse(Refusal::Blocking)";
const STATE: &str = "Rule::Refuse(Refusal::ConnectionState)";
const SCRIPT: &str = "Rule::Refuse(Refusal::UntrustedScript)";

/// Returns the rule that refuses a command because of its flags and categories.
pub(super) fn refused(entry: &Entry) -> Option<&'static str> {
    let is = |what: &str| entry.flags.iter().any(|flag| flag == what);
    if is("admin") || is("@admin") {
        Some(ADMIN)
    } else if is("@scripting") {
        Some(SCRIPT)
    } else if is("pubsub") || is("@connection") || is("@transaction") {
        Some(STATE)
    } else if is("blocking") {
        Some(BLOCKING)
    } else if entry.subcommands.is_empty() && (entry.specs.is_empty() || is("@dangerous")) {
        Some(ADMIN)
    } else {
        None
    }
}

/// The rule of a command whose keys the server does not report completely.
pub(super) const UNCLEAR: &str = ADMIN;

/// Returns whether a command can create a key without a time to live: the server needs memory for it, or it moves an
/// element to another key. A copy has the time to live of its source, and the other exceptions only change existing
/// keys.
pub(super) fn creates(entry: &Entry) -> bool {
    let needs_memory = entry.flags.iter().any(|flag| flag == "denyoom");
    let changes = ["copy", "linsert", "lpushx", "lset", "rpushx", "xsetid"];
    (needs_memory && !changes.contains(&&*entry.name)) || entry.name == "smove"
}
