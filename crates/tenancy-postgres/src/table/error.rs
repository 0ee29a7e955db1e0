//! Why a statement was not built, or its rows not given.

use std::error::Error;
use std::fmt;

/// Why a statement on a table was not sent, or its rows were not given.
///
/// It repeats no name and no value: both may be hostile. The source of [`Row`](Self::Row) may show a value of a row.
#[non_exhaustive]
pub enum TableError {
    /// A name is not `[A-Za-z_][A-Za-z0-9_]*`, or is longer than 63 bytes.
    InvalidIdentifier,
    /// A row or an update names `tenant_id`, in any case of letters.
    WritesTenantId,
    /// An update or a delete has no filter, and does not say that it means all rows.
    Unfiltered,
    /// An `or` or an `and` of nothing.
    EmptyGroup,
    /// A filter compares with null, which nothing is equal to: `is_null`.
    NullFilter,
    /// A filter's value is not one text, number or boolean.
    InvalidValue,
    /// A row is not an object, names no column where it must, or not the columns that the first one names.
    InvalidRow,
    /// There is no row where one is asked for.
    NoRow,
    /// There are more rows than the one that is asked for.
    ManyRows,
    /// A row does not have the structure that is asked for.
    Row(serde_json::Error),
}

impl TableError {
    /// Whether the statement was refused, and not sent.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::NoRow | Self::ManyRows | Self::Row(_))
    }

    const fn text(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidIdentifier => ("InvalidIdentifier", "a name is not one of a table or a column"),
            Self::WritesTenantId => ("WritesTenantId", "a row or an update names tenant_id"),
            Self::Unfiltered => ("Unfiltered", "an update or a delete has no filter"),
            Self::EmptyGroup => ("EmptyGroup", "a group of filters is empty"),
            Self::NullFilter => ("NullFilter", "a filter compares with null"),
            Self::InvalidValue => ("InvalidValue", "a filter's value is not one text, number or boolean"),
            Self::InvalidRow => ("InvalidRow", "a row is not an object of the columns that it must name"),
            Self::NoRow => ("NoRow", "there is no row"),
            Self::ManyRows => ("ManyRows", "there is more than one row"),
            Self::Row(_) => ("Row", "a row does not have the structure that is asked for"),
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().1)
    }
}

/// The kind alone: serde's error shows values.
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
