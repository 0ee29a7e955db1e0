//! Layer 2: statements on one table that say whose rows they mean.
//!
//! [`Table`] begins them: names are checked and quoted, values are parameters, and nothing else gets into their text. They
//! are plain strings and no query builder's trees, for there are few shapes, and what they need a query builder has no
//! words for: rows from JSON by the table's own types, and operators that no search path can replace.

pub mod bytea;
mod error;
mod filters;
mod insert;
mod name;
mod query;
mod returning;
mod rows;
mod run;
mod sql;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

pub use error::TableError;
pub use filters::Filters;
pub use insert::Insert;
pub use query::{Change, Order, Query, Select};
pub use returning::Returning;
pub use sql::TableSql;

use run::Execute;

/// One table, of which the tenant has its own rows.
///
/// Each statement is confined to the tenant by its own text, whether or not the table has a policy: what reads, updates
/// or deletes has `tenant_id = …` over all its other filters, and what inserts gives each row the tenant's id. A program
/// can't write `tenant_id` itself, and can't update or delete without a filter by mistake.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use tenancy_postgres::table::Order;
/// use tenancy_postgres::{Error, TenantDb};
///
/// #[derive(Serialize)]
/// struct NewNote<'a> {
///     title: &'a str,
/// }
///
/// #[derive(Deserialize)]
/// struct Note {
///     id: i64,
///     title: String,
/// }
///
/// # async fn example(db: &TenantDb) -> Result<(), Error> {
/// let notes = db.table("notes");
/// let note: Note = notes.insert(NewNote { title: "first" }).returning("id, title").single().await?;
/// let newest: Vec<Note> = notes
///     .select("id, title")
///     .or(|any| any.like("title", "f%").is_null("title"))
///     .order("id", Order::Desc)
///     .limit(10)
///     .rows()
///     .await?;
/// let deleted = notes.delete().eq("id", note.id).execute().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Names
///
/// The name of the table may have a schema, `schema.table`; without one the search path decides. Each name of a table or
/// a column is `[A-Za-z_][A-Za-z0-9_]*`, of at most 63 bytes. It is quoted, so upper case is not lower case. Columns are
/// listed as `*` or `id, title`: no aliases and no functions.
///
/// # Values
///
/// A row is what serde makes an object of, a struct or a map. Rows go to the server as JSON, and each value becomes
/// what its column's type makes of it. They come back as JSON as well:
///
/// | type | JSON | in Rust |
/// | --- | --- | --- |
/// | `smallint`, `integer`, `bigint` | a number, exact | `i16`, `i32`, `i64` |
/// | `real`, `double precision` | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` | `f32`, `f64` |
/// | `numeric` | a number with all its digits | `f64` for the nearest; `serde_json::Number` with its `arbitrary_precision` for all |
/// | `text`, `uuid`, an enum | a string | `String`, `uuid::Uuid` with `serde` |
/// | `timestamptz`, `timestamp`, `date` | a string by ISO 8601; `"infinity"` | a type of `chrono`, `jiff` or `time` |
/// | `bytea` | a string of hexadecimal digits behind `\x` | `Vec<u8>` by [`bytea`] |
/// | `json`, `jsonb`, an array, a composite type | itself, an array, an object | what serde makes of it |
///
/// Mind two things on the way in. serde makes `null` of a float that is not a number: give `"NaN"`. And it makes an array
/// of a `Vec<u8>`, whose text would be stored in a `bytea`: use [`bytea`].
///
/// A field that is `None` is written as null; one that is left out (`skip_serializing_if`) gets its default, or is not
/// updated. A column whose domain is `NOT NULL` can't be left out, not even of an update.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    name: &'static str,
    on: &'a dyn Execute,
}

impl<'a> Table<'a> {
    pub(crate) fn new(name: &'static str, on: &'a dyn Execute) -> Self {
        Self { name, on }
    }

    /// Reads columns of the tenant's rows: `*`, which leaves `tenant_id` out, or `id, title`.
    pub fn select(self, columns: &str) -> Query<'a, Select> {
        Query::new(self, Select::new(columns))
    }

    /// Adds a row, or all of a sequence of rows that name the same columns.
    pub fn insert(self, rows: impl Serialize) -> Insert<'a> {
        Insert::new(self, rows, None)
    }

    /// Adds rows, or updates those of the tenant that have the same key, the columns `id` or `kind, number`.
    ///
    /// There must be a unique index of `tenant_id` and these columns: a key is unique in its tenant.
    pub fn upsert(self, rows: impl Serialize, key: &str) -> Insert<'a> {
        Insert::new(self, rows, Some(key))
    }

    /// Sets columns of the rows that the filters match.
    pub fn update(self, set: impl Serialize) -> Query<'a, Change> {
        Query::new(self, Change::update(set))
    }

    /// Deletes the rows that the filters match.
    pub fn delete(self) -> Query<'a, Change> {
        Query::new(self, Change::delete())
    }
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.name).finish()
    }
}
