//! The text forms of an id.

use core::fmt;

use uuid::Uuid;

use super::TenantId;

impl TenantId {
    /// Writes the id, hyphenated and in lower case, into `buffer`.
    ///
    /// ```
    /// let mut buffer = [0; 36];
    /// let text = tenancy::TenantId::PLATFORM.encode(&mut buffer);
    /// assert_eq!(text, "00000000-0000-0000-0000-000000000001");
    /// ```
    pub fn encode<'b>(&self, buffer: &'b mut [u8; 36]) -> &'b str {
        Uuid::from(*self).hyphenated().encode_lower(buffer)
    }

    /// Returns the id as a string in fixed memory, hyphenated and in lower case.
    pub fn to_text(&self) -> heapless::String<36> {
        let mut text = heapless::String::new();
        // Cannot fail: the text has 36 bytes.
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

struct Simple(TenantId);

impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Uuid::from(self.0).simple().encode_lower(&mut [0; 32]))
    }
}

/// Displays the id hyphenated and in lower case. Width and alignment are applied.
impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; 36]))
    }
}

/// Shows `TenantId('550e8400-e29b-41d4-a716-446655440000')`.
impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId('{}')", self.encode(&mut [0; 36]))
    }
}
