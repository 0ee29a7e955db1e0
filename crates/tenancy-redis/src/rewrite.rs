//! One command, rebuilt with the tenant's prefix at each key.

mod options;
mod spans;
#[cfg(test)]
mod tests;

use std::io::Write;

use redis::{Cmd, RedisWrite};

use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::table::{self, Rule};

/// The arguments of a command, with its name.
pub(crate) trait Arguments<'a>: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone {}

impl<'a, I: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone> Arguments<'a> for I {}

/// Who shares the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Other tenants.
    Shared,
    /// Nobody.
    Dedicated,
}

/// What a command is confined to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'s> {
    pub(crate) prefix: &'s [u8],
    pub(crate) mode: Mode,
}

/// The command that is built.
#[derive(Debug)]
pub(crate) struct Out<'o> {
    cmd: &'o mut Cmd,
    scope: Scope<'o>,
}

impl Out<'_> {
    pub(crate) fn plain(&mut self, argument: &[u8]) {
        self.cmd.write_arg(argument);
    }

    pub(crate) fn key(&mut self, key: &[u8]) -> Result<(), Refusal> {
        let mut writer = self.cmd.writer_for_next_arg();
        // Memory does not fail; if it ever does, a cut key is not sent.
        writer
            .write_all(self.scope.prefix)
            .and_then(|()| writer.write_all(key))
            .map_err(|_| Refusal::BadArguments)
    }
}

/// Rebuilds `cmd` in `scratch`, whatever that held, and says what the reply is made of.
///
/// # Errors
///
/// Where it is refused: `scratch` must not be sent then.
pub(crate) fn rewrite(cmd: &Cmd, scope: Scope<'_>, scratch: &mut Cmd) -> Result<Reply, Refusal> {
    // Its reply would be the next caller's.
    if cmd.is_no_response() {
        return Err(Refusal::ConnectionState);
    }
    // A cursor's value can be read from the packed form alone.
    if !cmd.args_iter().all(|argument| matches!(argument, redis::Arg::Simple(_))) {
        return rewrite_arguments(Packed::only(&cmd.get_packed_command())?, scope, scratch);
    }
    let arguments = cmd.args_iter().map(|argument| match argument {
        redis::Arg::Simple(bytes) => bytes,
        _ => b"",
    });
    rewrite_arguments(arguments, scope, scratch)
}

/// The same of arguments.
///
/// # Errors
///
/// As [`rewrite`].
pub(crate) fn rewrite_arguments<'a>(
    arguments: impl Arguments<'a>,
    scope: Scope<'_>,
    scratch: &mut Cmd,
) -> Result<Reply, Refusal> {
    scratch.clear();
    let mut names = arguments.clone();
    let name = names.next().ok_or(Refusal::BadArguments)?;
    let mut command = table::find(name).ok_or(Refusal::UnknownCommand)?;
    if let Rule::Within(commands) = command.rule {
        let name = names.next().ok_or(Refusal::BadArguments)?;
        command = table::within(commands, name).ok_or(Refusal::UnknownCommand)?;
    }
    let rule = match &command.rule {
        Rule::Refuse(refusal) => return Err(*refusal),
        Rule::Alone(refusal, _) if scope.mode == Mode::Shared => return Err(*refusal),
        Rule::Alone(_, rule) => rule,
        rule => rule,
    };
    if !command.takes(arguments.len()) {
        return Err(Refusal::BadArguments);
    }
    apply(rule, arguments, Out { cmd: scratch, scope })
}

fn apply<'a>(rule: &'static Rule, arguments: impl Arguments<'a>, out: Out<'_>) -> Result<Reply, Refusal> {
    match rule {
        Rule::Keys(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Plain),
        Rule::Pop(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Popped),
        Rule::List(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Keys),
        Rule::Options(grammar) => options::rewrite(grammar, arguments, out),
        Rule::Refuse(refusal) | Rule::Alone(refusal, _) => Err(*refusal),
        Rule::Within(_) => Err(Refusal::UnknownCommand),
    }
}
