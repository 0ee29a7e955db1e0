//! An id as text.

use core::fmt;

use super::TenantId;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl TenantId {
    /// Writes the id, hyphenated and in lower case, into `buffer`.
    ///
    /// ```
    /// let mut buffer = [0; 36];
    /// let text = tenancy::TenantId::PLATFORM.encode(&mut buffer);
    /// assert_eq!(text, "00000000-0000-0000-0000-000000000001");
    /// ```
    pub fn encode<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
        // A hyphen stands before bytes 4, 6, 8 and 10: one bit a byte.
        let mut hyphens = 0b101_0101_0000_u16;
        let mut rest = &mut buffer[..];
        for byte in self.as_bytes() {
            if hyphens & 1 == 1 {
                rest = put(rest, b'-');
            }
            hyphens >>= 1;
            rest = put(rest, DIGITS[usize::from(byte >> 4)]);
            rest = put(rest, DIGITS[usize::from(byte & 15)]);
        }
        str::from_utf8(buffer).unwrap_or("")
    }

    /// The id as a string in fixed memory, hyphenated and in lower case.
    pub fn to_text(&self) -> heapless::String<36> {
        let mut text = heapless::String::new();
        // 36 bytes fit into 36.
        let _ = text.push_str(self.encode(&mut [0; 36]));
        text
    }

    /// Displays the id as 32 hexadecimal digits without hyphens.
    ///
    /// ```
    /// let tenant = tenancy::TenantId::PLATFORM;
    /// assert_eq!(tenant.simple().to_string(), "00000000000000000000000000000001");
    /// ```
    pub fn simple(&self) -> impl fmt::Display + use<> {
        Simple(*self)
    }
}

/// Writes one byte and gives what is left of the buffer: no index, so no check that could panic.
fn put(buffer: &mut [u8], byte: u8) -> &mut [u8] {
    match buffer.split_first_mut() {
        Some((first, rest)) => {
            *first = byte;
            rest
        }
        None => &mut [],
    }
}

struct Simple(TenantId);

impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 32];
        let mut rest = &mut buffer[..];
        for byte in self.0.as_bytes() {
            rest = put(rest, DIGITS[usize::from(byte >> 4)]);
            rest = put(rest, DIGITS[usize::from(byte & 15)]);
        }
        f.pad(str::from_utf8(&buffer).unwrap_or(""))
    }
}

/// Hyphenated, in lower case; width and alignment are honoured.
impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; 36]))
    }
}

/// `TenantId('550e8400-e29b-41d4-a716-446655440000')`
impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId('{}')", self.encode(&mut [0; 36]))
    }
}
