//! The permission to act for all tenants.

use std::error::Error as StdError;
use std::fmt;

/// The permission to act for all tenants, and why: what [`AdminDb`](crate::AdminDb) wants before it connects.
///
/// ```
/// use tenancy_postgres::AdminAccess;
///
/// let access = AdminAccess::new("ticket 1234: acme wants its export")?;
/// assert_eq!(access.reason(), "ticket 1234: acme wants its export");
/// assert!(AdminAccess::new("  ").is_err());
/// # Ok::<(), tenancy_postgres::InvalidReasonError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminAccess {
    reason: String,
}

impl AdminAccess {
    /// The most characters of a reason.
    pub const MAX_REASON: usize = 200;

    /// Access for a reason that people can read: it is logged with all that is done.
    ///
    /// # Errors
    ///
    /// [`InvalidReasonError`]: it is empty or white space, has more than [`MAX_REASON`](Self::MAX_REASON) characters,
    /// or a control character.
    pub fn new(reason: impl Into<String>) -> Result<Self, InvalidReasonError> {
        let reason = reason.into();
        if reason.trim().is_empty() {
            return Err(InvalidReasonError("an access without a reason"));
        }
        if reason.chars().count() > Self::MAX_REASON {
            return Err(InvalidReasonError("a reason of more than 200 characters"));
        }
        // A line break would forge a line of the log.
        if reason.contains(|char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')) {
            return Err(InvalidReasonError("a reason with a control character"));
        }
        Ok(Self { reason })
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A reason that can't stand in a log.
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
    fn a_reason_is_one_line_that_says_something() {
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
