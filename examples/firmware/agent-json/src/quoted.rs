//! JSON strings (RFC 8259, section 7).

use core::fmt::{self, Write};

/// Displays a text as a JSON string: in quotes, and with the characters escaped that require it.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'t>(pub &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                '\0'..' ' => write!(f, "\\u{:04x}", u32::from(char))?,
                _ => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn escapes_quotes_backslashes_and_control_characters() {
        assert_eq!(Quoted("a\"b\\c").to_string(), r#""a\"b\\c""#);
        assert_eq!(Quoted("\n\r\t\u{8}\u{c}").to_string(), r#""\n\r\t\b\f""#);
        assert_eq!(Quoted("\0\u{1f}").to_string(), r#""\u0000\u001f""#);
    }

    #[test]
    fn keeps_all_other_characters() {
        assert_eq!(Quoted("").to_string(), "\"\"");
        assert_eq!(Quoted("/ \u{7f} Störungen 日本語 🦀").to_string(), "\"/ \u{7f} Störungen 日本語 🦀\"");
    }
}
