//! The table of header lines and statuses, which every server of this repository is held against.
//!
//! Plain Rust, for those who include this file are of different packages.

/// Header lines, and the status that they get.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Case {
    /// Where it stands in the table, from 1 on.
    pub(crate) line: usize,
    pub(crate) status: u16,
    /// As they are sent, each to the end of its line.
    pub(crate) fields: Vec<u8>,
}

/// The cases of `tests/header-cases.txt`, with ids for the names in braces: `("one", "550e8400-…")`.
///
/// # Errors
///
/// The first line that is no case, and why.
pub(crate) fn cases(ids: &[(&str, &str)]) -> Result<Vec<Case>, String> {
    parse(include_str!("../header-cases.txt"), ids)
}

/// The cases of any table.
///
/// # Errors
///
/// As [`cases`].
pub(crate) fn parse(table: &str, ids: &[(&str, &str)]) -> Result<Vec<Case>, String> {
    let lines = (1..).zip(table.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    lines
        .map(|(line, text)| {
            let (status, fields) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            let status = status.parse().map_err(|_| format!("line {line}: `{status}` is no status"))?;
            let fields = bytes(fields.trim_start(), ids).map_err(|error| format!("line {line}: {error}"))?;
            Ok(Case { line, status, fields })
        })
        .collect()
}

/// The bytes that a text stands for.
fn bytes(text: &str, ids: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        rest = match next {
            '\\' => {
                let (byte, after) = escape(after).ok_or_else(|| format!("no escape: `\\{after}`"))?;
                bytes.push(byte);
                after
            }
            '{' => {
                let (id, after) = placeholder(after, ids).unwrap_or(("{", after));
                bytes.extend_from_slice(id.as_bytes());
                after
            }
            _ => {
                bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
        };
    }
    Ok(bytes)
}

/// The id for a name, without its first brace, and what comes after it.
fn placeholder<'t>(text: &'t str, ids: &[(&str, &'t str)]) -> Option<(&'t str, &'t str)> {
    let (name, after) = text.split_once('}')?;
    let (_, id) = ids.iter().find(|(known, _)| *known == name)?;
    Some((id, after))
}

/// The byte of an escape, without its backslash, and what comes after it.
fn escape(text: &str) -> Option<(u8, &str)> {
    let byte = match text.bytes().next()? {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'\\' => b'\\',
        b'x' => {
            let digits =
                text.get(1..3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            return Some((u8::from_str_radix(digits, 16).ok()?, &text[3..]));
        }
        _ => return None,
    };
    Some((byte, &text[1..]))
}
