//! Keys whose places the table knows.

use super::{Arguments, Out};
use crate::packed::number;
use crate::refusal::Refusal;
use crate::table::Span;

/// A span in one command's arguments.
#[derive(Debug)]
struct Keys {
    first: usize,
    end: usize,
    step: usize,
}

impl Keys {
    fn hold(&self, at: usize) -> bool {
        (self.first..self.end).contains(&at) && (at - self.first).is_multiple_of(self.step)
    }
}

pub(super) fn rewrite<'a>(
    spans: &'static [Span],
    arguments: impl Arguments<'a>,
    mut out: Out<'_>,
) -> Result<(), Refusal> {
    let mut found = [const { None }; 2];
    for (place, span) in found.iter_mut().zip(spans) {
        *place = Some(locate(*span, &arguments)?);
    }
    for (at, argument) in arguments.enumerate() {
        if found.iter().flatten().any(|keys| keys.hold(at)) {
            out.key(argument);
        } else {
            out.plain(argument);
        }
    }
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
        .filter(|keys| (keys.end - keys.first).is_multiple_of(keys.step))
        .ok_or(Refusal::BadArguments)
}
