//! How long what a command writes will live.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;
use crate::packed::number;
use crate::refusal::Refusal;
use crate::table::Command;

/// What a command does to times to live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// No key that it makes or changes lives longer for it.
    Unchanged,
    /// A key lives so long from now on.
    For(Duration),
    /// It could say how long, and doesn't.
    Unset,
    /// It can make a key that lives for ever.
    Forever,
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Milliseconds,
    /// Since 1970.
    AtSeconds,
    AtMilliseconds,
}

/// # Errors
///
/// Where the arguments are not those of the command: the server would refuse them, or may know more than this.
pub(super) fn find<'a>(command: &Command, arguments: &impl Arguments<'a>) -> Result<Found, Refusal> {
    let second = |unit| lifetime(arguments.clone().nth(2), unit).map(Found::For);
    match command.name {
        "set" => options(arguments.clone().skip(3), Found::Unset),
        "getex" => options(arguments.clone().skip(2), Found::Unchanged),
        "setex" | "expire" => second(Unit::Seconds),
        "psetex" | "pexpire" => second(Unit::Milliseconds),
        "expireat" => second(Unit::AtSeconds),
        "pexpireat" => second(Unit::AtMilliseconds),
        "persist" => Ok(Found::Forever),
        // A copy lives as long as what it is of.
        "copy" => Ok(Found::Unchanged),
        // Where they store nothing, they make nothing.
        "sort" | "georadius" | "georadiusbymember" => {
            let stores = arguments.clone().any(|argument| {
                [&b"store"[..], b"storedist"].iter().any(|name| argument.eq_ignore_ascii_case(name))
            });
            Ok(if stores { Found::Forever } else { Found::Unchanged })
        }
        _ => Ok(if command.creates { Found::Forever } else { Found::Unchanged }),
    }
}

/// The options of `SET` and `GETEX`; of several times the longest.
fn options<'a>(mut options: impl Iterator<Item = &'a [u8]>, mut found: Found) -> Result<Found, Refusal> {
    while let Some(option) = options.next() {
        let unit = match &*option.to_ascii_lowercase() {
            b"nx" | b"xx" | b"get" => continue,
            b"keepttl" | b"persist" => return Ok(Found::Forever),
            b"ex" => Unit::Seconds,
            b"px" => Unit::Milliseconds,
            b"exat" => Unit::AtSeconds,
            b"pxat" => Unit::AtMilliseconds,
            _ => return Err(Refusal::BadArguments),
        };
        let ttl = lifetime(options.next(), unit)?;
        found = match found {
            Found::For(longer) if longer > ttl => found,
            _ => Found::For(ttl),
        };
    }
    Ok(found)
}

fn lifetime(argument: Option<&[u8]>, unit: Unit) -> Result<Duration, Refusal> {
    let argument = argument.ok_or(Refusal::BadArguments)?;
    let (argument, is_past) = match argument.strip_prefix(b"-") {
        Some(rest) => (rest, true),
        None => (argument, false),
    };
    let number = u64::try_from(number(argument).ok_or(Refusal::BadArguments)?).unwrap_or(u64::MAX);
    if is_past {
        return Ok(Duration::ZERO);
    }
    let since_1970 = |time: Duration| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        time.saturating_sub(now)
    };
    Ok(match unit {
        Unit::Seconds => Duration::from_secs(number),
        Unit::Milliseconds => Duration::from_millis(number),
        Unit::AtSeconds => since_1970(Duration::from_secs(number)),
        Unit::AtMilliseconds => since_1970(Duration::from_millis(number)),
    })
}
