//! Inserts of many rows.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::column::Columns;
use super::handle::Table;
use super::insert::Insert;
use super::returning::Write;
use super::rows::Rows;
use super::run;
use super::sql::TableSql;
use crate::error::{Error, TableError};

/// An insert of any number of rows.
///
/// One statement has at most 10,000 rows and, with more than one row, at most 8 MiB of JSON. More rows take more
/// statements, all in one transaction: either all rows are inserted, or none. The `tenant_id` of each inserted row is
/// returned by the server and verified before the commit.
///
/// ```no_run
/// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
/// use serde_json::json;
///
/// let rows = (0..25_000).map(|number| json!({ "title": format!("note {number}") }));
/// assert_eq!(db.table("notes").insert_many(rows).execute().await?, 25_000);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until its rows are requested, or it is executed"]
pub struct InsertMany<'a> {
    table: Table<'a>,
    batches: Result<Vec<Rows>, TableError>,
    ignores: bool,
}

impl<'a> InsertMany<'a> {
    pub(super) fn new<R: Serialize>(table: Table<'a>, rows: impl IntoIterator<Item = R>) -> Self {
        Self { table, batches: Rows::batches(rows), ignores: false }
    }

    /// Skips rows that violate a unique constraint.
    pub fn ignore_duplicates(self) -> Self {
        Self { ignores: true, ..self }
    }

    /// Inserts the rows and returns their number.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] if a statement is rejected.
    /// - [`Error::Mismatch`] if an inserted row belongs to another tenant, because a trigger changed it.
    /// - The errors of [`TenantDb::tx`](crate::TenantDb::tx) and [`TenantTx::query`](crate::TenantTx::query).
    ///
    /// On [`TenantDb`](crate::TenantDb), nothing is inserted if it fails, except with
    /// [`CommitUnknown`](Error::CommitUnknown). In a [`TenantTx`](crate::TenantTx), the caller rolls back.
    pub async fn execute(self) -> Result<u64, Error> {
        let on = self.table.on;
        let first = run::begin(on, self.needs_types()).await?;
        let statements = self.statements(&first, None)?;
        run::affected_by_all(on, &statements).await
    }

    /// Inserts the rows and returns columns of them as they are stored, in no particular order.
    ///
    /// # Errors
    ///
    /// The errors of [`execute`](Self::execute), and [`TableError::Row`] if a row is not a `T`.
    pub async fn returning<T: DeserializeOwned>(self, columns: &str) -> Result<Vec<T>, Error> {
        let on = self.table.on;
        let columns = Columns::parse(columns)?;
        let first = run::begin(on, self.needs_types()).await?;
        let statements = self.statements(&first, Some(&columns))?;
        run::rows_of_all(on, &statements).await
    }

    /// Returns the statements for a tenant.
    ///
    /// # Errors
    ///
    /// If a statement is rejected.
    pub fn to_sql(self, tenant: TenantId) -> Result<Vec<TableSql>, TableError> {
        self.statements(&TableSql::new(tenant), None)
    }

    fn needs_types(&self) -> bool {
        self.batches.iter().flatten().any(|rows| rows.has_objects)
    }

    fn statements(self, empty: &TableSql, columns: Option<&Columns>) -> Result<Vec<TableSql>, TableError> {
        let (table, ignores) = (self.table, self.ignores);
        let statement = |rows: Rows| {
            let insert = Insert::of(table, rows);
            let insert = if ignores { insert.ignore_duplicates() } else { insert };
            let mut sql = Box::new(insert).write(empty.another())?;
            sql.push(" RETURNING ");
            if let Some(columns) = columns {
                sql.row(columns, &[]);
            } else {
                sql.gives_rows = true;
                sql.push("t$.\"tenant_id\"");
            }
            Ok(sql)
        };
        self.batches?.into_iter().map(statement).collect()
    }
}

/// Shows the table, but no values.
impl fmt::Debug for InsertMany<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertMany").field("table", &self.table).finish_non_exhaustive()
    }
}
