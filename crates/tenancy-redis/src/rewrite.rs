//! One command, rebuilt with the tenant's prefix at each key.

mod options;
mod spans;
#[cfg(test)]
mod tests;

use redis::{Arg, Cmd, RedisWrite};

use crate::confines::{Confines, Mode};
use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::table::{self, Command, Rule, ScriptBy};

/// The arguments of a command, with its name.
pub(crate) trait Arguments<'a>: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone {}

impl<'a, I: Iterator<Item = &'a [u8]> + ExactSizeIterator + Clone> Arguments<'a> for I {}

/// What is built, kept for its memory.
pub(crate) struct Scratch {
    /// The command that is sent.
    pub(crate) cmd: Cmd,
    /// A key: put together here, for a command takes an argument faster in one piece.
    key: Vec<u8>,
}

/// Room for most commands, so that the first one doesn't grow its way there.
impl Default for Scratch {
    fn default() -> Self {
        Self { cmd: Cmd::with_capacity(8, 128), key: Vec::with_capacity(96) }
    }
}

/// The command that is built.
struct Out<'o> {
    scratch: &'o mut Scratch,
    confines: &'o Confines,
}

impl Out<'_> {
    fn plain(&mut self, argument: &[u8]) {
        self.scratch.cmd.write_arg(argument);
    }

    fn key(&mut self, key: &[u8]) {
        let Scratch { cmd, key: whole } = self.scratch;
        let prefix = self.confines.prefix.as_bytes();
        // The last key's, if there was one: a connection's prefix stays what it is.
        whole.truncate(prefix.len());
        if whole.len() < prefix.len() {
            whole.clear();
            whole.extend_from_slice(prefix);
        }
        whole.extend_from_slice(key);
        cmd.write_arg(whole);
    }
}

/// Rebuilds `cmd` in `scratch`, whatever that held, and says what the reply is made of.
///
/// # Errors
///
/// Where it is refused: what `scratch` holds must not be sent then.
pub(crate) fn rewrite(cmd: &Cmd, confines: &Confines, scratch: &mut Scratch) -> Result<Reply, Refusal> {
    // Its reply would be the next caller's.
    if cmd.is_no_response() {
        return Err(Refusal::ConnectionState);
    }
    // A cursor's value can be read from the packed form alone.
    if cmd.in_scan_mode() {
        return rewrite_arguments(Packed::only(&cmd.get_packed_command())?, confines, scratch);
    }
    rewrite_arguments(simple(cmd), confines, scratch)
}

/// The arguments of a command that has no cursor.
pub(crate) fn simple(cmd: &Cmd) -> impl Arguments<'_> {
    cmd.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => b"",
    })
}

/// The same of arguments.
///
/// # Errors
///
/// As [`rewrite`].
pub(crate) fn rewrite_arguments<'a>(
    arguments: impl Arguments<'a>,
    confines: &Confines,
    scratch: &mut Scratch,
) -> Result<Reply, Refusal> {
    scratch.cmd.clear();
    let command = find(arguments.clone())?;
    let rule = match &command.rule {
        Rule::Refuse(refusal) => return Err(*refusal),
        Rule::Alone(refusal, _) if confines.mode == Mode::Shared => return Err(*refusal),
        Rule::Alone(_, rule) => rule,
        rule => rule,
    };
    if !command.takes(arguments.len()) {
        return Err(Refusal::BadArguments);
    }
    let ttl = match &confines.policy {
        None => None,
        Some(policy) => policy.check(command, &arguments)?,
    };
    let reply = apply(rule, arguments, Out { scratch, confines })?;
    if let Some(milliseconds) = ttl {
        scratch.cmd.arg("PX").arg(milliseconds);
    }
    Ok(reply)
}

fn find<'a>(mut names: impl Arguments<'a>) -> Result<&'static Command, Refusal> {
    let name = names.next().ok_or(Refusal::BadArguments)?;
    let command = table::find(name).ok_or(Refusal::UnknownCommand)?;
    let Rule::Within(commands) = command.rule else { return Ok(command) };
    let name = names.next().ok_or(Refusal::BadArguments)?;
    table::within(commands, name).ok_or(Refusal::UnknownCommand)
}

fn apply<'a>(rule: &'static Rule, arguments: impl Arguments<'a>, out: Out<'_>) -> Result<Reply, Refusal> {
    match rule {
        Rule::First => first(arguments, out).map(|()| Reply::Plain),
        Rule::Keys(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Plain),
        Rule::Pop(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Popped),
        Rule::List(spans) => spans::rewrite(spans, arguments, out).map(|()| Reply::Keys),
        Rule::Options(grammar) => options::rewrite(grammar, arguments, out),
        Rule::Script(by) => script(*by, arguments, out).map(|()| Reply::Plain),
        Rule::LoadScript => load_script(arguments, out).map(|()| Reply::Plain),
        Rule::Refuse(refusal) | Rule::Alone(refusal, _) => Err(*refusal),
        Rule::Within(_) => Err(Refusal::UnknownCommand),
    }
}

fn first<'a>(mut arguments: impl Arguments<'a>, mut out: Out<'_>) -> Result<(), Refusal> {
    let (Some(name), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(Refusal::BadArguments);
    };
    out.plain(name);
    out.key(key);
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

/// Its keys may be none: the table's spans have one at least.
fn script<'a>(by: ScriptBy, arguments: impl Arguments<'a>, mut out: Out<'_>) -> Result<(), Refusal> {
    const KEYS: &[table::Span] = &[table::Span::Counted { count: 2, first: 3, step: 1 }];
    let scripts = out.confines.scripts.ok_or(Refusal::UntrustedScript)?;
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

fn load_script<'a>(arguments: impl Arguments<'a>, mut out: Out<'_>) -> Result<(), Refusal> {
    let scripts = out.confines.scripts.ok_or(Refusal::UntrustedScript)?;
    if !arguments.clone().nth(2).is_some_and(|code| scripts.has_code(code)) {
        return Err(Refusal::UntrustedScript);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}
