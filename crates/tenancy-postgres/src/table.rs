//! Layer 2: statements on one table that always name the tenant.
//!
//! [`Table`] begins a statement. Names are parsed and quoted, values are parameters, and no other text of the caller
//! becomes part of a statement. Statements are plain strings: a query builder has no form for rows from JSON by the
//! table's own types, nor for operators that no search path can replace.

mod bulk;
pub mod bytea;
mod check;
mod column;
mod embed;
pub(crate) mod execute;
mod filters;
mod handle;
mod insert;
mod name;
mod order;
pub(crate) mod own_types;
mod query;
mod returning;
mod rows;
mod rpc;
mod run;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use bulk::InsertMany;
pub use embed::Embed;
pub use filters::{Filters, TextSearch};
pub use handle::Table;
pub use insert::Insert;
pub use order::Order;
pub use query::{Change, Page, Query, Select};
pub use returning::Returning;
pub use rpc::{Rpc, UnverifiedRpc};
pub use sql::TableSql;

pub use crate::error::TableError;

impl<'a> Table<'a> {
    /// Selects columns of the tenant's rows: `*`, which leaves `tenant_id` out, or `id, title`.
    pub fn select(self, columns: &str) -> Query<'a, Select> {
        Query::new(self, Select::new(columns))
    }

    /// Inserts a row, or a sequence of rows that name the same columns, in one statement.
    pub fn insert(self, rows: impl Serialize) -> Insert<'a> {
        Insert::new(self, rows, None)
    }

    /// Inserts rows of any number, which name the same columns, in one transaction.
    pub fn insert_many<R: Serialize>(self, rows: impl IntoIterator<Item = R>) -> InsertMany<'a> {
        InsertMany::new(self, rows)
    }

    /// Inserts rows, or updates the tenant's rows with the same key, such as `id` or `kind, number`.
    ///
    /// The table must have a unique index on `tenant_id` and these columns.
    pub fn upsert(self, rows: impl Serialize, key: &str) -> Insert<'a> {
        Insert::new(self, rows, Some(key))
    }

    /// Updates columns of the rows that the filters match.
    pub fn update(self, set: impl Serialize) -> Query<'a, Change> {
        Query::new(self, Change::update(set))
    }

    /// Deletes the rows that the filters match.
    pub fn delete(self) -> Query<'a, Change> {
        Query::new(self, Change::delete())
    }
}
