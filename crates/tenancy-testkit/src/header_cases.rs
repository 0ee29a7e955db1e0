//! A table of header lines, good and hostile, with the status that a server which reads `X-Tenant-ID` must answer.
//!
//! Every server of this repository is tested with it, from the gateway to the firmware.

/// Header lines, and the status of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Case {
    /// The line of the table, counted from 1.
    pub line: usize,
    /// The status of the answer.
    pub status: u16,
    /// The bytes of the header lines, each with its line end.
    pub fields: Vec<u8>,
}

/// The ids of the tenants that the table names.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'t> {
    /// An active tenant.
    ///
    /// The table also spells this id out, so it must be `550e8400-e29b-41d4-a716-446655440000`.
    pub one: &'t str,
    /// Another active tenant.
    pub other: &'t str,
    /// A suspended tenant.
    pub suspended: &'t str,
    /// An id that no tenant has.
    pub unknown: &'t str,
}

/// Returns the cases of the table.
///
/// The request is a `GET` by a caller that may act for every tenant.
///
/// # Panics
///
/// If the table has an invalid line, which a test of this crate rules out.
///
/// ```
/// use tenancy_testkit::header_cases::{Ids, cases};
///
/// let ids = Ids {
///     one: "550e8400-e29b-41d4-a716-446655440000",
///     other: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
///     suspended: "7d444840-9dc0-41d1-b245-5ffdce74fad2",
///     unknown: "11111111-1111-4111-8111-111111111111",
/// };
/// assert!(cases(ids).iter().any(|case| case.status == 404));
/// ```
pub fn cases(ids: Ids<'_>) -> Vec<Case> {
    parse(include_str!("header-cases.txt"), ids).unwrap_or_else(|error| panic!("{error}"))
}

fn parse(table: &str, ids: Ids<'_>) -> Result<Vec<Case>, String> {
    let lines = (1..).zip(table.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    lines
        .map(|(line, text)| {
            let (status, fields) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            let status = status.parse().map_err(|_| format!("line {line}: invalid status `{status}`"))?;
            let fields = bytes(fields.trim_start(), ids).map_err(|error| format!("line {line}: {error}"))?;
            Ok(Case { line, status, fields })
        })
        .collect()
}

/// Replaces escapes by bytes and names in braces by ids.
fn bytes(text: &str, ids: Ids<'_>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        rest = match next {
            '\\' => {
                let (byte, after) = escape(after).ok_or_else(|| format!("invalid escape: `\\{after}`"))?;
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

/// Reads a name up to its closing brace; returns its id and the rest of the text.
fn placeholder<'t>(text: &'t str, ids: Ids<'t>) -> Option<(&'t str, &'t str)> {
    let (name, after) = text.split_once('}')?;
    let id = match name {
        "one" => ids.one,
        "other" => ids.other,
        "suspended" => ids.suspended,
        "unknown" => ids.unknown,
        _ => return None,
    };
    Some((id, after))
}

/// Reads an escape after its backslash; returns its byte and the rest of the text.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const IDS: Ids<'static> = Ids { one: "1-1", other: "2-2", suspended: "3-3", unknown: "4-4" };

    fn fields(text: &str) -> Vec<u8> {
        let mut cases = parse(&format!("400 {text}"), IDS).expect(text);
        assert_eq!(cases.len(), 1);
        cases.remove(0).fields
    }

    #[test]
    fn a_line_is_a_status_white_space_and_bytes() {
        let table = "# why\n\n400\n200 \t A: b\\r\\n\n# 404 not this one\n403\tA:  #b\n";
        let case = |line, status, fields: &[u8]| Case { line, status, fields: fields.to_vec() };
        let expected = [case(3, 400, b""), case(4, 200, b"A: b\r\n"), case(6, 403, b"A:  #b")];
        assert_eq!(parse(table, IDS).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn an_escape_is_one_byte() {
        assert_eq!(fields(r"\r\n\t\0\\\x00\x7f\xFF\\r"), b"\r\n\t\0\\\x00\x7f\xff\\r");
        assert_eq!(fields(r"\x20a b"), b" a b");
        assert_eq!(fields("ä"), "ä".as_bytes());
    }

    #[test]
    fn a_name_in_braces_is_an_id_and_any_other_brace_is_itself() {
        assert_eq!(fields("{one},{other}"), b"1-1,2-2");
        assert_eq!(fields("{suspended},{unknown}"), b"3-3,4-4");
        assert_eq!(fields("{{one}}"), b"{1-1}");
        assert_eq!(fields("{one}} {{one} }{one}{"), b"1-1} {1-1 }1-1{");
        assert_eq!(fields("{ones} {One} {} {one {"), b"{ones} {One} {} {one {");
    }

    #[test]
    fn an_error_names_the_line() {
        for (table, line) in [
            ("400\nok A: b", 2),
            ("99999", 1),
            (" 400", 1),
            ("# a\n400 \\q", 2),
            ("400 \\", 1),
            ("400 \\x4", 1),
            ("400 \\x+1", 1),
            ("400 \\xä", 1),
        ] {
            let error = parse(table, IDS).expect_err(table);
            assert!(error.starts_with(&format!("line {line}: ")), "{table:?}: {error}");
        }
    }

    /// The limits are those of a device with little memory; the other servers are tested with the same table.
    #[test]
    fn the_table_fits_every_server() {
        let cases = cases(Ids {
            one: "550e8400-e29b-41d4-a716-446655440000",
            other: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
            suspended: "7d444840-9dc0-41d1-b245-5ffdce74fad2",
            unknown: "11111111-1111-4111-8111-111111111111",
        });
        let mut seen = HashSet::new();
        for Case { line, status, fields } in &cases {
            assert!([200, 400, 403, 404].contains(status), "line {line}: {status}");
            assert!(fields.is_empty() || fields.ends_with(b"\n"), "line {line} has no line end");
            assert!(fields.len() < 900, "line {line}: {} bytes do not fit into a head", fields.len());
            let lines = fields.split(|byte| *byte == b'\n').count();
            assert!(lines <= 20, "line {line}: {lines} lines do not fit into a head");
            assert!(seen.insert(fields), "line {line} repeats an earlier one");
        }
        for status in [200, 400, 403, 404] {
            assert!(cases.iter().any(|case| case.status == status), "no case with status {status}");
        }
        assert!(cases.len() > 150, "{} cases", cases.len());
    }
}
