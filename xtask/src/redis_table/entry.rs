//! A command as the server describes it.

use serde_json::Value;

/// A command or subcommand, as the server describes it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name; that of a subcommand is `command|subcommand`.
    pub(super) name: String,
    /// The arity on each server; 0 if the server lacks the command.
    pub(super) arities: Vec<i64>,
    /// Flags, and categories with `@`.
    pub(super) flags: Vec<String>,
    pub(super) specs: Vec<Value>,
    pub(super) subcommands: Vec<Entry>,
}
