//! One command, rebuilt with the tenant's prefix at each key.

mod fixed;
mod options;
mod script;
#[cfg(test)]
mod tests;

use redis::Cmd;

use crate::arguments::{Arguments, simple};
use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::scope::{Sharing, TenantScope};
use crate::table::{self, Command, Rule};
use crate::writer::{CommandWriter, Keys, Sink};

/// Writes `cmd` into `sink` with the tenant's prefix, and returns where the reply contains keys.
///
/// # Errors
///
/// The refusal. The content of `sink` must not be sent then.
pub(crate) fn rewrite(cmd: &Cmd, scope: &TenantScope, sink: &mut impl Sink) -> Result<Reply, Refusal> {
    // Its reply would be the next caller's.
    if cmd.is_no_response() {
        return Err(Refusal::ConnectionState);
    }
    // A cursor's value can be read from the packed form alone.
    if cmd.in_scan_mode() {
        return rewrite_arguments(Packed::only(&cmd.get_packed_command())?, scope, sink);
    }
    rewrite_arguments(simple(cmd), scope, sink)
}

/// Writes a command of these arguments.
///
/// # Errors
///
/// As [`rewrite`].
pub(crate) fn rewrite_arguments<'a>(
    arguments: impl Arguments<'a>,
    scope: &TenantScope,
    sink: &mut impl Sink,
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
    let count = if matches!(rule, Rule::First) { 1 } else { arguments.len() - 1 };
    let extra = if ttl.is_some() { 2 } else { 0 };
    sink.begin(&arguments, extra, Keys { count, prefix: scope.prefix.as_bytes() });
    let out = CommandWriter::new(sink, scope);
    // Most commands: decided here, so that the arguments stay in registers.
    let reply = if let Rule::First = rule {
        fixed::first(arguments, out).map(|()| Reply::Plain)?
    } else {
        apply(rule, arguments, out)?
    };
    if let Some(milliseconds) = ttl {
        sink.plain(b"PX");
        sink.plain(milliseconds.to_string().as_bytes());
    }
    sink.finish();
    Ok(reply)
}

#[inline]
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
    out: CommandWriter<'_, impl Sink>,
) -> Result<Reply, Refusal> {
    match rule {
        Rule::First => fixed::first(arguments, out).map(|()| Reply::Plain),
        Rule::Keys(spans) => fixed::spans(spans, arguments, out).map(|()| Reply::Plain),
        Rule::Pop(spans) => fixed::spans(spans, arguments, out).map(|()| Reply::Popped),
        Rule::List(spans) => fixed::spans(spans, arguments, out).map(|()| Reply::Keys),
        Rule::Options(grammar) => options::rewrite(grammar, arguments, out),
        Rule::Script(by) => script::call(*by, arguments, out).map(|()| Reply::Plain),
        Rule::LoadScript => script::load(arguments, out).map(|()| Reply::Plain),
        Rule::Refuse(refusal) | Rule::DedicatedOnly(refusal, _) => Err(*refusal),
        Rule::Subcommands(_) => Err(Refusal::UnknownCommand),
    }
}
