//! Scripts, which the program must trust.

use super::fixed;
use crate::arguments::Arguments;
use crate::refusal::Refusal;
use crate::table::{ScriptBy, Span};
use crate::writer::{CommandWriter, Sink};

/// Writes the call of a script. It may have no keys, where the table's spans have at least one.
pub(super) fn call<'a>(
    by: ScriptBy,
    arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    const KEYS: &[Span] = &[Span::Counted { count: 2, first: 3, step: 1 }];
    let scripts = out.scope.scripts.ok_or(Refusal::UntrustedScript)?;
    let called = arguments.clone().nth(1).ok_or(Refusal::BadArguments)?;
    let is_trusted = match by {
        ScriptBy::Text => scripts.has_code(called),
        ScriptBy::Hash => scripts.has_hash(called),
    };
    if !is_trusted {
        return Err(Refusal::UntrustedScript);
    }
    if arguments.clone().nth(2) != Some(b"0") {
        return fixed::spans(KEYS, arguments, out);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

/// Writes `SCRIPT LOAD`.
pub(super) fn load<'a>(
    arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    let scripts = out.scope.scripts.ok_or(Refusal::UntrustedScript)?;
    if !arguments.clone().nth(2).is_some_and(|code| scripts.has_code(code)) {
        return Err(Refusal::UntrustedScript);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}
