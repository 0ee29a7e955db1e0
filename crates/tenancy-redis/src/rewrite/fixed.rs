//! Keys whose places the table knows.

use crate::arguments::Arguments;
use crate::packed::number;
use crate::refusal::Refusal;
use crate::table::Span;
use crate::writer::{CommandWriter, Sink};

/// Writes a command whose first argument is its only key.
#[inline]
pub(super) fn first<'a>(
    mut arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    let (Some(name), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(Refusal::BadArguments);
    };
    out.plain(name);
    out.key(key);
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

/// A span in one command's arguments.
struct Keys {
    first: usize,
    end: usize,
    step: usize,
}

/// Writes a command whose keys are in these spans. The table has the spans in the order of their places.
pub(super) fn spans<'a>(
    spans: &'static [Span],
    mut arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    let all = arguments.clone();
    let mut at = 0;
    for span in spans {
        let keys = locate(*span, &all)?;
        while at < keys.first {
            out.plain(arguments.next().ok_or(Refusal::BadArguments)?);
            at += 1;
        }
        let row = arguments.by_ref().take(keys.end.saturating_sub(at));
        if keys.step == 1 {
            row.for_each(|key| out.key(key));
        } else {
            let first = at;
            for (place, argument) in (first..).zip(row) {
                if (place - first).is_multiple_of(keys.step) {
                    out.key(argument);
                } else {
                    out.plain(argument);
                }
            }
        }
        at = at.max(keys.end);
    }
    arguments.for_each(|argument| out.plain(argument));
    Ok(())
}

fn locate<'a>(span: Span, arguments: &impl Arguments<'a>) -> Result<Keys, Refusal> {
    let keys = match span {
        Span::Range { first, last, step } => {
            let from = if last < 0 { arguments.len() } else { first };
            let end = from.checked_add_signed(last).and_then(|last| last.checked_add(1));
            end.map(|end| Keys { first, end, step })
        }
        Span::Counted { count, first, step } => {
            let count = arguments.clone().nth(count).and_then(number);
            let end =
                count.and_then(|count| count.checked_mul(step)).and_then(|keys| keys.checked_add(first));
            end.map(|end| Keys { first, end, step })
        }
    };
    keys.filter(|keys| keys.first < keys.end && keys.end <= arguments.len())
        .filter(|keys| keys.step == 1 || (keys.end - keys.first).is_multiple_of(keys.step))
        .ok_or(Refusal::BadArguments)
}
