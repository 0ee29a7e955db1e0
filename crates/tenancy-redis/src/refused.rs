//! The refused command that an error names.

use std::fmt;

use redis::{ErrorKind, RedisError};

use crate::arguments::Arguments;
use crate::refusal::{MARK, Refusal};
use crate::table::{self, Rule};

/// A command that was not sent: its name, its place in the pipeline, and what to do instead.
///
/// It contains no argument of the command. Its text is that of the error:
///
/// ```
/// use redis::ConnectionLike;
/// use tenancy_redis::{Refusal, TenantRedis, refused};
///
/// # fn example(connection: redis::Connection, tenant: tenancy::TenantId) {
/// let mut redis = TenantRedis::new(connection, tenant);
/// let mut pipeline = redis::pipe();
/// pipeline.get("k").cmd("WATCH").arg("k");
/// let error = pipeline.exec(&mut redis).unwrap_err();
///
/// let refused = refused(&error).expect("a refused command");
/// assert_eq!(refused.refusal(), Refusal::ConnectionState);
/// assert_eq!((refused.command(), refused.index()), ("WATCH", Some(1)));
/// assert_eq!(refused.hint(), "use TenantRedis::dedicated");
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RefusedCommand {
    refusal: Refusal,
    command: String,
    index: Option<usize>,
}

impl RefusedCommand {
    pub(crate) fn new<'a>(refusal: Refusal, arguments: impl Arguments<'a>, index: Option<usize>) -> Self {
        Self { refusal, command: name(arguments), index }
    }

    /// Returns why the command was refused.
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Returns the name of the command in upper case, with that of its subcommand: `GET`, `CLIENT KILL`.
    ///
    /// The name is empty if it has other characters than letters, digits, `.`, `_` and `-`, or more than 32 of them, and
    /// if the error comes from a reply.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns the place of the command in the pipeline, from 0, or `None` if it was sent alone.
    pub const fn index(&self) -> Option<usize> {
        self.index
    }

    /// Returns what to do instead.
    pub fn hint(&self) -> &'static str {
        hint(self.refusal, &self.command)
    }
}

impl fmt::Display for RefusedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.command.is_empty() { NAMELESS } else { &self.command })?;
        f.write_str(REFUSED)?;
        if let Some(index) = self.index {
            write!(f, "{AT}{index}")?;
        }
        write!(f, ": {}; {}", self.refusal, self.hint())
    }
}

impl std::error::Error for RefusedCommand {}

impl From<RefusedCommand> for RedisError {
    #[cold]
    fn from(refused: RefusedCommand) -> Self {
        (ErrorKind::Client, "tenant isolation", format!("{MARK}{refused}")).into()
    }
}

const NAMELESS: &str = "a command";
const REFUSED: &str = " is refused";
const AT: &str = " at index ";

/// Returns the refused command of an error, or `None` for an error from elsewhere.
///
/// It is `Some` exactly if [`refusal`] is.
pub fn refused(error: &RedisError) -> Option<RefusedCommand> {
    if error.kind() != ErrorKind::Client {
        return None;
    }
    let text = error.detail()?.strip_prefix(MARK)?;
    if let Some(refusal) = Refusal::ALL.into_iter().find(|refusal| refusal.reason() == text) {
        return Some(RefusedCommand { refusal, command: String::new(), index: None });
    }
    let (command, rest) = text.split_once(REFUSED)?;
    let (place, reason) = rest.split_once(": ")?;
    let index = match place.strip_prefix(AT) {
        Some(index) => Some(index.parse().ok()?),
        None if place.is_empty() => None,
        None => return None,
    };
    let (reason, _) = reason.split_once("; ")?;
    let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.reason() == reason)?;
    let command = if command == NAMELESS { "" } else { command };
    let refused = RefusedCommand { refusal, command: command.to_owned(), index };
    (text == refused.to_string()).then_some(refused)
}

/// Returns why a command was refused, or `None` for an error from elsewhere. [`refused`] also names the command.
///
/// ```
/// use tenancy_redis::{Refusal, refusal};
///
/// let error = redis::RedisError::from(Refusal::Blocking);
/// assert_eq!(refusal(&error), Some(Refusal::Blocking));
/// assert_eq!(refusal(&std::io::Error::other("reset").into()), None);
/// ```
pub fn refusal(error: &RedisError) -> Option<Refusal> {
    refused(error).map(|refused| refused.refusal())
}

/// Returns the name of a command, with its subcommand if the table has it.
fn name<'a>(mut arguments: impl Arguments<'a>) -> String {
    const LONGEST: usize = 32;
    let name = arguments.next().unwrap_or_default();
    let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if !is_plain || name.len() > LONGEST {
        return String::new();
    }
    let mut whole = String::from_utf8_lossy(name).into_owned();
    if let Some(Rule::Subcommands(commands)) = table::find(name).map(|command| &command.rule)
        && let Some(subcommand) = arguments.next().and_then(|name| table::within(commands, name))
    {
        whole = format!("{whole} {}", subcommand.name);
    }
    whole.make_ascii_uppercase();
    whole
}

fn hint(refusal: Refusal, command: &str) -> &'static str {
    const DEDICATED: &str = "use TenantRedis::dedicated";
    let is_for_dedicated = table::find(command.as_bytes())
        .is_some_and(|command| matches!(command.rule, Rule::DedicatedOnly(..)));
    match (refusal, command) {
        (Refusal::Blocking | Refusal::ConnectionState, _) if is_for_dedicated => DEDICATED,
        (Refusal::Blocking, "XREAD" | "XREADGROUP") => DEDICATED,
        (Refusal::Blocking, _) => "wait on a connection without a tenant",
        (
            Refusal::ConnectionState,
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE",
        ) => "use TenantPubSub",
        (Refusal::ConnectionState, "MULTI" | "EXEC" | "DISCARD") => "use redis::pipe().atomic()",
        (Refusal::ConnectionState, "HELLO" | "AUTH" | "SELECT" | "CLIENT SETNAME") => {
            "configure it in redis::ConnectionInfo before the connection is wrapped"
        }
        (Refusal::ConnectionState, _) => "use a connection without a tenant",
        (Refusal::AdminCommand, "FLUSHALL" | "FLUSHDB") => "use TenantRedis::flush_tenant",
        (Refusal::AdminCommand, "DBSIZE" | "INFO") => "use TenantRedis::usage",
        (Refusal::AdminCommand, "RANDOMKEY") => "use SCAN",
        (Refusal::AdminCommand, _) => "use an operator's connection",
        (Refusal::UnknownCommand, _) => {
            "check the spelling, or whether a newer tenancy-redis knows the command"
        }
        (Refusal::UntrustedScript, "FCALL" | "FCALL_RO" | "FUNCTION") => "use a script of TrustedScripts",
        (Refusal::UntrustedScript, _) => "add the script to TrustedScripts",
        (Refusal::BadArguments, _) => "check the number and the order of the arguments",
        (Refusal::TtlRequired, _) => "use SET with EX or PX",
        (Refusal::TtlTooLong, _) => "use a shorter time to live",
        (Refusal::TooLarge, _) => "split the value",
        (Refusal::TooManyArguments, _) => "split the command",
        (Refusal::NotPermitted, _) => "wrap an operator's connection in a TenantRedis of the tenant",
        (Refusal::Reply, _) => "check what else writes to the server",
    }
}

#[cfg(test)]
mod tests {
    use redis::Cmd;

    use super::*;
    use crate::arguments::simple;

    fn of(words: &[&str], refusal: Refusal, index: Option<usize>) -> RefusedCommand {
        let mut cmd = Cmd::new();
        cmd.arg(words);
        RefusedCommand::new(refusal, simple(&cmd), index)
    }

    #[test]
    fn names_the_command_and_its_place() {
        for (words, index, text) in [
            (
                &["hello", "3", "AUTH", "user", "secret"][..],
                None,
                "HELLO is refused: the command is about the state of the connection; configure it in \
                 redis::ConnectionInfo before the connection is wrapped",
            ),
            (
                &["WATCH", "secret"],
                Some(12),
                "WATCH is refused at index 12: the command is about the state of the connection; use \
                 TenantRedis::dedicated",
            ),
            (
                &["client", "setname", "secret"],
                Some(0),
                "CLIENT SETNAME is refused at index 0: the command is about the state of the connection; configure \
                 it in redis::ConnectionInfo before the connection is wrapped",
            ),
        ] {
            assert_eq!(of(words, Refusal::ConnectionState, index).to_string(), text);
        }
    }

    /// A name that contains an argument, and an argument in the place of a subcommand.
    #[test]
    fn repeats_no_argument() {
        for words in [
            &["GET secret"][..],
            &["CLIENT", "secret"],
            &["GET\r\nsecret"],
            &["OBJECT", "secret", "secret"],
            &["secret: is refused at index 1"],
            &[&"secret".repeat(6)],
            &[],
        ] {
            for refusal in Refusal::ALL {
                let error = RedisError::from(of(words, refusal, Some(1)));
                assert!(!error.to_string().to_lowercase().contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn error_is_read_back() {
        for refusal in Refusal::ALL {
            for words in [&["GET"][..], &["NO.SUCH-1_"], &["object", "encoding"], &["a b"], &[]] {
                for index in [None, Some(0), Some(usize::MAX)] {
                    let command = of(words, refusal, index);
                    let error = RedisError::from(command.clone());
                    assert_eq!(refused(&error), Some(command));
                    assert_eq!(super::refusal(&error), Some(refusal));
                    let text = error.detail().expect("a reason").to_owned();
                    assert_eq!(refused(&(ErrorKind::Extension, "server", text.clone()).into()), None);
                    for other in
                        [format!("{text}!"), format!("{text}; x"), text.replace("refused", "Refused")]
                    {
                        assert_eq!(refused(&(ErrorKind::Client, "client", other).into()), None);
                    }
                }
            }
        }
    }

    #[test]
    fn each_is_told_from_the_others_and_from_a_servers_words() {
        for refused in Refusal::ALL {
            let error = RedisError::from(refused);
            assert_eq!(refusal(&error), Some(refused));
            let text = error.detail().expect("a reason").to_owned();
            assert_eq!(refusal(&(ErrorKind::Extension, "server", text.clone()).into()), None);
            assert_eq!(refusal(&(ErrorKind::Client, "client", format!("{text}!")).into()), None);
        }
    }
}
