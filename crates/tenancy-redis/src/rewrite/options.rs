//! Keys among options.

use crate::arguments::Arguments;
use crate::grammar::{Grammar, Operand};
use crate::packed::number;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::scope::Sharing;
use crate::writer::{CommandWriter, Sink};

pub(super) fn rewrite<'a>(
    grammar: &'static Grammar,
    mut arguments: impl Arguments<'a>,
    mut out: CommandWriter<'_, impl Sink>,
) -> Result<Reply, Refusal> {
    out.plain(next(&mut arguments)?);
    operands(grammar.operands, &mut arguments, &mut out)?;
    let mut patterns = 0;
    let mut is_missing = grammar.required.is_some();
    while let Some(option) = arguments.next() {
        let (name, following) = (grammar.options.iter())
            .find(|(name, _)| option.eq_ignore_ascii_case(name.as_bytes()))
            .ok_or(Refusal::BadArguments)?;
        out.plain(option);
        operands(following, &mut arguments, &mut out)?;
        patterns += usize::from(*name == "match");
        is_missing &= grammar.required != Some(name);
    }
    if is_missing {
        return Err(Refusal::BadArguments);
    }
    match patterns {
        0 if grammar.matches => {
            out.plain(b"MATCH");
            out.key(b"*");
        }
        0 | 1 => {}
        _ => return Err(Refusal::BadArguments),
    }
    Ok(grammar.reply)
}

fn operands<'a>(
    kinds: &[Operand],
    arguments: &mut impl Arguments<'a>,
    out: &mut CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    for kind in kinds {
        match kind {
            Operand::Key => out.key(next(arguments)?),
            Operand::KeyOrElement => match next(arguments)? {
                b"#" => out.plain(b"#"),
                pattern => out.key(pattern),
            },
            Operand::Streams => streams(arguments, out)?,
            Operand::Wait if out.scope.sharing == Sharing::Shared => return Err(Refusal::Blocking),
            Operand::Plain => out.plain(next(arguments)?),
            Operand::Number | Operand::Wait => {
                let argument = next(arguments)?;
                number(argument.strip_prefix(b"-").unwrap_or(argument)).ok_or(Refusal::BadArguments)?;
                out.plain(argument);
            }
        }
    }
    Ok(())
}

/// The rest: keys, and as many ids.
fn streams<'a>(
    arguments: &mut impl Arguments<'a>,
    out: &mut CommandWriter<'_, impl Sink>,
) -> Result<(), Refusal> {
    let rest = arguments.len();
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(Refusal::BadArguments);
    }
    for _ in 0..rest / 2 {
        out.key(next(arguments)?);
    }
    for id in arguments {
        out.plain(id);
    }
    Ok(())
}

fn next<'a>(arguments: &mut impl Arguments<'a>) -> Result<&'a [u8], Refusal> {
    arguments.next().ok_or(Refusal::BadArguments)
}
