//! The permission to act for all tenants.

use std::error::Error as StdError;
use std::fmt;

/// The permission to act for all tenants, with a reason. [`AdminDb`](crate::AdminDb) requires it to connect.
///
/// ```
/// use tenancy_postgres::AdminAccess;
///
/// let access = AdminAccess::new("ticket 1234: export for acme")?;
/// assert_eq!(access.reason(), "ticket 1234: export for acme");
/// assert!(AdminAccess::new("  ").is_err());
/// # Ok::<(), tenancy_postgres::InvalidReasonError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminAccess {
    reason: String,
}

impl AdminAccess {
    /// The maximum length of a reason, in characters.
    pub const MAX_REASON: usize = 200;

    /// Creates an access with a reason, which is logged with each call.
    ///
    /// # Errors
    ///
    /// [`InvalidReasonError`] if the reason is empty or only white space, is longer than
    /// [`MAX_REASON`](Self::MAX_REASON) characters, or contains a control character.
    pub fn new(reason: impl Into<String>) -> Result<Self, InvalidReasonError> {
        let reason = reason.into();
        if reason.trim().is_empty() {
            return Err(InvalidReasonError("reason is empty"));
        }
        if reason.chars().count() > Self::MAX_REASON {
            return Err(InvalidReasonError("reason is longer than 200 characters"));
        }
        // A line break could forge a line of a log.
        if reason.contains(|char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')) {
            return Err(InvalidReasonError("reason contains a control character"));
        }
        Ok(Self { reason })
    }

    /// Returns the reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// The error for a reason that is empty, too long or contains a control character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidReasonError(&'static str);

impl fmt::Display for InvalidReasonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for InvalidReasonError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_one_line_of_at_most_200_characters() {
        let longest = "é".repeat(AdminAccess::MAX_REASON);
        for reason in ["x", "ticket 7", "'; DROP TABLE notes --", &longest] {
            assert_eq!(AdminAccess::new(reason).expect(reason).reason(), reason);
        }
        let too_long = format!("{longest}e");
        for reason in ["", " ", "\t\n", "\u{a0}", "a\nb", "a\0", "a\u{2028}b", "a\u{7f}", &too_long] {
            AdminAccess::new(reason).expect_err(reason);
        }
    }
}
