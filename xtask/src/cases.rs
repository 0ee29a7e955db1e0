//! The shared table of header cases, with the ids of the firmware's tenants.

#[path = "../../tests/common/header_cases.rs"]
mod header_cases;

use anyhow::{Error, Result};

pub(crate) use header_cases::Case;

use crate::firmware::{ACTIVE, SUSPENDED, UNKNOWN};

const IDS: [(&str, &str); 4] =
    [("one", ACTIVE[0]), ("other", ACTIVE[1]), ("suspended", SUSPENDED), ("unknown", UNKNOWN)];

pub(crate) fn all() -> Result<Vec<Case>> {
    header_cases::cases(&IDS).map_err(Error::msg)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn parse(table: &str) -> Result<Vec<Case>, String> {
        header_cases::parse(table, &[("one", "1-1"), ("other", "2-2")])
    }

    fn fields(text: &str) -> Vec<u8> {
        let mut cases = parse(&format!("400 {text}")).expect(text);
        assert_eq!(cases.len(), 1);
        cases.remove(0).fields
    }

    #[test]
    fn a_line_is_a_status_white_space_and_bytes() {
        let table = "# why\n\n400\n200 \t A: b\\r\\n\n# 404 not this one\n403\tA:  #b\n";
        let case = |line, status, fields: &[u8]| Case { line, status, fields: fields.to_vec() };
        let expected = [case(3, 400, b""), case(4, 200, b"A: b\r\n"), case(6, 403, b"A:  #b")];
        assert_eq!(parse(table).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn escapes_are_single_bytes() {
        assert_eq!(fields(r"\r\n\t\0\\\x00\x7f\xFF\\r"), b"\r\n\t\0\\\x00\x7f\xff\\r");
        assert_eq!(fields(r"\x20a b"), b" a b");
        assert_eq!(fields("ä"), "ä".as_bytes());
    }

    #[test]
    fn a_name_in_braces_is_an_id_and_any_other_brace_is_itself() {
        assert_eq!(fields("{one},{other}"), b"1-1,2-2");
        assert_eq!(fields("{{one}}"), b"{1-1}");
        assert_eq!(fields("{one}} {{one} }{one}{"), b"1-1} {1-1 }1-1{");
        assert_eq!(fields("{ones} {One} {} {one {"), b"{ones} {One} {} {one {");
    }

    #[test]
    fn what_is_no_case_is_named_by_its_line() {
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
            let error = parse(table).expect_err(table);
            assert!(error.starts_with(&format!("line {line}: ")), "{table:?}: {error}");
        }
    }

    /// What a device of little memory reads: the other servers get the same table.
    #[test]
    fn the_table_holds_for_every_server() {
        let cases = all().expect("every line is a case");
        let mut seen = HashSet::new();
        for Case { line, status, fields } in &cases {
            assert!([200, 400, 403, 404].contains(status), "line {line}: {status}");
            assert!(fields.is_empty() || fields.ends_with(b"\n"), "line {line} has no end");
            assert!(
                fields.len() < 900,
                "line {line}: {} bytes, with those around them too many",
                fields.len()
            );
            let lines = fields.split(|byte| *byte == b'\n').count();
            assert!(lines <= 20, "line {line}: {lines} lines, with those around them too many");
            assert!(seen.insert(fields), "line {line} was there before");
        }
        for status in [200, 400, 403, 404] {
            assert!(cases.iter().any(|case| case.status == status), "no case gets {status}");
        }
        assert!(cases.len() > 150, "{} cases", cases.len());
    }
}
