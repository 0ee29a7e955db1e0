//! Keys whose places the table knows.

use crate::arguments::Arguments;
use crate::packed::number;
use crate::refusal::Refusal;
use crate::table::Span;
use crate::writer::CommandWriter;

/// A span in one command's arguments.
struct Keys {
    first: usize,
    end: usize,
    step: usize,
}

/// The table has the spans in the order of their places.
pub(super) fn rewrite<'a>(
    spans: &'static [Span],
    mut arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_>,
) -> Result<(), Refusal> {
    let all = arguments.clone();
    let mut at = 0;
    for span in spans {
        let keys = locate(*span, &all)?;
        while at < keys.first {
            out.plain(arguments.next().ok_or(Refusal::BadArguments)?);
            at += 1;
        }
        let mut next_key = at;
        while at < keys.end {
            let argument = arguments.next().ok_or(Refusal::BadArguments)?;
            if at == next_key {
                out.key(argument);
                next_key += keys.step;
            } else {
                out.plain(argument);
            }
            at += 1;
        }
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
