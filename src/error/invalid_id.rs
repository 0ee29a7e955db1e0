//! The error of a text that is not a tenant id.

use core::fmt;

/// The text or the bytes are not a tenant id. Contains the kind of the fault and its position.
///
/// ```
/// use tenancy::{InvalidTenantIdKind, TenantId};
///
/// let error = TenantId::parse("550e8400-e29b-41d4-a716-44665544000g").unwrap_err();
/// assert_eq!(error.kind(), InvalidTenantIdKind::Character);
/// assert_eq!(error.position(), Some(35));
/// assert!(error.to_string().starts_with("invalid tenant id: byte 35 is not"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidTenantIdError {
    kind: InvalidTenantIdKind,
    /// The position, or the length for [`InvalidTenantIdKind::Length`]. 255 means 255 or more.
    at: u8,
}

/// The fault of an invalid tenant id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum InvalidTenantIdKind {
    /// The text is empty.
    Empty,
    /// The text does not have 32, 36, 38 or 45 bytes.
    Length,
    /// A byte is not the hexadecimal digit, the brace or the part of `urn:uuid:` that the form has at its position.
    Character,
    /// A hyphen is missing, or is at a position where the form has none.
    Hyphen,
    /// All bytes are zero, as in zeroed memory.
    Nil,
    /// All bytes are `0xff`, as in erased flash.
    Max,
}

impl InvalidTenantIdError {
    #[allow(clippy::cast_possible_truncation, reason = "bounded in the line itself")]
    pub(crate) const fn new(kind: InvalidTenantIdKind, at: usize) -> Self {
        Self { kind, at: if at < u8::MAX as usize { at as u8 } else { u8::MAX } }
    }

    /// Returns the fault.
    pub const fn kind(&self) -> InvalidTenantIdKind {
        self.kind
    }

    /// Returns the offset of the first wrong byte, if the fault is that of one byte.
    pub const fn position(&self) -> Option<usize> {
        match self.kind {
            InvalidTenantIdKind::Character | InvalidTenantIdKind::Hyphen => Some(self.at as usize),
            _ => None,
        }
    }
}

impl fmt::Display for InvalidTenantIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        f.write_str("invalid tenant id: ")?;
        match self.kind {
            InvalidTenantIdKind::Empty => f.write_str("the text is empty"),
            InvalidTenantIdKind::Length => {
                let more = if at == u8::MAX { " or more" } else { "" };
                write!(
                    f,
                    "{at}{more} bytes, expected 36 (hyphenated), 32 (simple), 38 (braced) or 45 (urn:uuid:)"
                )
            }
            InvalidTenantIdKind::Character => {
                write!(f, "byte {at} is not the hexadecimal digit, brace or urn:uuid: that must be there")
            }
            InvalidTenantIdKind::Hyphen => write!(f, "a hyphen is missing or out of place at byte {at}"),
            InvalidTenantIdKind::Nil => f.write_str("all bytes are zero, which is reserved"),
            InvalidTenantIdKind::Max => f.write_str("all bytes are 0xff, which is reserved"),
        }
    }
}

impl fmt::Debug for InvalidTenantIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidTenantIdError").field("kind", &self.kind).field("at", &self.at).finish()
    }
}

impl core::error::Error for InvalidTenantIdError {}
