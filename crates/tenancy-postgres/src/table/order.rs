//! Orders of rows.

use super::column::Path;
use super::sql::TableSql;
use crate::error::TableError;

/// The direction of an order, and the position of nulls in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Order {
    /// The least value is first, and nulls are last.
    Asc,
    /// The greatest value is first, before it nulls.
    Desc,
    /// Nulls are first, then the least value.
    AscNullsFirst,
    /// The greatest value is first, and nulls are last.
    DescNullsLast,
}

impl Order {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Asc => "",
            Self::Desc => " DESC",
            Self::AscNullsFirst => " NULLS FIRST",
            Self::DescNullsLast => " DESC NULLS LAST",
        }
    }
}

/// One column of an order.
pub(super) struct Sort {
    pub(super) path: Path,
    pub(super) order: Order,
}

impl Sort {
    pub(super) fn parse(column: &str, order: Order) -> Result<Self, TableError> {
        Ok(Self { path: Path::parse(column)?, order })
    }
}

pub(super) fn write_order(sql: &mut TableSql, by: Vec<Result<Sort, TableError>>) -> Result<(), TableError> {
    for (at, by) in by.into_iter().enumerate() {
        let by = by?;
        sql.push(if at == 0 { " ORDER BY " } else { ", " }).path(&by.path).push(by.order.sql());
    }
    Ok(())
}
