//! One command, rebuilt with the tenant's prefix at each key.

mod options;
mod spans;
#[cfg(test)]
mod tests;

use redis::Cmd;

use crate::arguments::{Arguments, simple};
use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::scope::{Sharing, TenantScope};
use crate::table::{self, Command, Rule, ScriptBy};
use crate::writer::{Buffer, CommandWriter};

/// Writes `cmd` into `buffer` with the tenant's prefix, and returns where the reply contains keys.
///
/// # Errors
///
/// The refusal. The content of `buffer` must not be sent then.
pub(crate) fn rewrite(cmd: &Cmd, scope: &TenantScope, buffer: &mut Buffer) -> Result<Reply, Refusal> {
    // Its reply would be the next caller's.
    if cmd.is_no_response() {
        return Err(Refusal::ConnectionState);
    }
    // A cursor's value can be read from the packed form alone.
    if cmd.in_scan_mode() {
        return rewrite_arguments(Packed::only(&cmd.get_packed_command())?, scope, buffer);
    }
    rewrite_arguments(simple(cmd), scope, buffer)
}

/// Writes a command of these arguments.
///
/// # Errors
///
/// As [`rewrite`].
pub(crate) fn rewrite_arguments<'a>(
    arguments: impl Arguments<'a>,
    scope: &TenantScope,
    buffer: &mut Buffer,
) -> Result<Reply, Refusal> {
    let reply = write(arguments, scope, buffer);
    if reply.is_err() {
        buffer.release();
    }
    reply
}

fn write<'a>(
    arguments: impl Arguments<'a>,
    scope: &TenantScope,
    buffer: &mut Buffer,
) -> Result<Reply, Refusal> {
    let command = find(arguments.clone())?;
    let rule = match &command.rule {
        Rule::Refuse(refusal) => return Err(*refusal),
        Rule::DedicatedOnly(refusal, _) if scope.sharing == Sharing::Shared => return Err(*refusal),
        Rule::DedicatedOnly(_, rule) => rule,
        rule => rule,
    };
    if !command.takes(arguments.len()) {
        return Err(Refusal::BadArguments);
    }
    let ttl = match &scope.policy {
        None => None,
        Some(policy) => policy.check(command, &arguments)?,
    };
    let reply = apply(rule, arguments, CommandWriter::new(buffer, scope))?;
    if let Some(milliseconds) = ttl {
        buffer.cmd.arg("PX").arg(milliseconds);
    }
    Ok(reply)
}

fn find<'a>(mut names: impl Arguments<'a>) -> Result<&'static Command, Refusal> {
    let name = names.next().ok_or(Refusal::BadArguments)?;
    let command = table::find(name).ok_or(Refusal::UnknownCommand)?;
    let Rule::Subcommands(commands) = command.rule else { return Ok(command) };
    let name = names.next().ok_or(Refusal::BadArguments)?;
    table::within(commands, name).ok_or(Refusal::UnknownCommand)
}

fn apply<'a>(
    rule: &'static Rule,
    arguments: impl Arguments<'a>,
    out: CommandWriter<'_>,
) -> Result<Reply, Refusal> {
    match rule {
        Rule::First => first(arguments, out).map(|()| Reply::Plain),
        Rule::Keys(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Plain),
        Rule::Pop(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Popped),
        Rule::List(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Keys),
        Rule::Options(grammar) => options::rewrite(grammar, arguments, out),
        Rule::Script(by) => script(*by, arguments, out).map(|()| Reply::Plain),
        Rule::LoadScript => load_script(arguments, out).map(|()| Reply::Plain),
        Rule::Refuse(refusal) | Rule::DedicatedOnly(refusal, _) => Err(*refusal),
        Rule::Subcommands(_) => Err(Refusal::UnknownCommand),
    }
}

fn first<'a>(mut arguments: impl Arguments<'a>, mut out: CommandWriter<'_>) -> Result<(), Refusal> {
    let (Some(name), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(Refusal::BadArguments);
    };
    out.plain(name);
    out.key(key);
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

/// Its keys may be none: the table's spans have one at least.
fn script<'a>(
    by: ScriptBy,
    arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_>,
) -> Result<(), Refusal> {
    const KEYS: &[table::Span] = &[table::Span::Counted { count: 2, first: 3, step: 1 }];
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
        return spans::rewrite(KEYS, arguments, out);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

fn load_script<'a>(arguments: impl Arguments<'a>, mut out: CommandWriter<'_>) -> Result<(), Refusal> {
    let scripts = out.scope.scripts.ok_or(Refusal::UntrustedScript)?;
    if !arguments.clone().nth(2).is_some_and(|code| scripts.has_code(code)) {
        return Err(Refusal::UntrustedScript);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}
