//! Reasons why a statement on a table was not sent, or its rows were not returned.

use std::error::Error;
use std::fmt;

/// A statement on a table that was not sent, or rows that were not returned.
///
/// The message repeats no name and no value, because both may be hostile. The source of [`Row`](Self::Row) may show a
/// value of a row.
#[non_exhaustive]
pub enum TableError {
    /// A name is not a valid identifier, or is longer than 63 bytes.
    InvalidIdentifier,
    /// Two columns or embeds of a result have the same name.
    DuplicateName,
    /// A row or an update names `tenant_id`, in any case of letters.
    WritesTenantId,
    /// An update or a delete has no filter, and [`all_rows`](crate::table::Query::all_rows) was not called.
    Unfiltered,
    /// An `or`, `and` or `not` has no filters.
    EmptyGroup,
    /// A filter compares with null, which equals nothing; use [`is_null`](crate::table::Query::is_null).
    NullFilter,
    /// A value of a filter or an argument is not of a supported kind.
    InvalidValue,
    /// A row is not an object, names no column, or names other columns than the first row.
    InvalidRow,
    /// No row was found, but one was requested.
    NoRow,
    /// More than one row was found, but one was requested.
    ManyRows,
    /// A row does not have the structure that was requested.
    Row(serde_json::Error),
}

impl TableError {
    /// Returns whether the statement was rejected before it was sent.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::NoRow | Self::ManyRows | Self::Row(_))
    }

    const fn text(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidIdentifier => {
                ("InvalidIdentifier", "invalid name of a table, column, function or type")
            }
            Self::DuplicateName => ("DuplicateName", "two columns of the result have the same name"),
            Self::WritesTenantId => ("WritesTenantId", "cannot write column tenant_id"),
            Self::Unfiltered => ("Unfiltered", "update or delete without a filter"),
            Self::EmptyGroup => ("EmptyGroup", "empty group of filters"),
            Self::NullFilter => ("NullFilter", "filter compares with null"),
            Self::InvalidValue => ("InvalidValue", "unsupported kind of value in a filter or an argument"),
            Self::InvalidRow => ("InvalidRow", "row is not an object with the expected columns"),
            Self::NoRow => ("NoRow", "no row found, expected one"),
            Self::ManyRows => ("ManyRows", "more than one row found, expected one"),
            Self::Row(_) => ("Row", "row does not have the requested structure"),
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().1)
    }
}

/// Shows only the variant, because serde's message shows values.
impl fmt::Debug for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().0)
    }
}

impl Error for TableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Row(error) => Some(error),
            _ => None,
        }
    }
}
