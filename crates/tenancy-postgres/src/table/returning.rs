//! Statements that write rows and return them.

use std::fmt;

use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::column::Columns;
use super::execute::Execute;
use super::run;
use super::sql::TableSql;
use crate::error::{Error, TableError};

/// An insert, upsert, update or delete that returns the rows that it wrote.
#[must_use = "nothing is sent until its rows are requested"]
pub struct Returning<'a> {
    on: &'a dyn Execute,
    columns: Result<Columns, TableError>,
    statement: Box<dyn Write + 'a>,
}

/// A statement that writes rows.
pub(super) trait Write: fmt::Debug + Send + Sync {
    /// Returns whether the text depends on the columns with types of their own.
    fn needs_types(&self) -> bool;

    /// Writes the text of the statement, without a `RETURNING`.
    fn write(self: Box<Self>, sql: TableSql) -> Result<TableSql, TableError>;
}

impl<'a> Returning<'a> {
    pub(super) fn new(on: &'a dyn Execute, columns: &str, statement: impl Write + 'a) -> Self {
        Self { on, columns: Columns::parse(columns), statement: Box::new(statement) }
    }

    /// Returns the rows, in no particular order.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] if the statement is rejected, or a row is not a `T`.
    /// - [`Error::Mismatch`] if a row belongs to another tenant.
    /// - The errors of [`TenantDb::tx`](crate::TenantDb::tx) and [`TenantTx::query`](crate::TenantTx::query).
    ///
    /// A statement on [`TenantDb`](crate::TenantDb) has written nothing if it fails, except with
    /// [`CommitUnknown`](Error::CommitUnknown). In a [`TenantTx`](crate::TenantTx), the caller rolls back.
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        self.accept(Ok).await
    }

    /// Returns the row, if there is exactly one.
    ///
    /// # Errors
    ///
    /// [`TableError::NoRow`] or [`TableError::ManyRows`], and the errors of [`rows`](Self::rows).
    pub async fn single<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.accept(|rows| run::at_most_one(rows)?.ok_or(TableError::NoRow.into())).await
    }

    /// Returns the row, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The errors of [`single`](Self::single), except [`TableError::NoRow`].
    pub async fn maybe_single<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        self.accept(run::at_most_one).await
    }

    async fn accept<T: DeserializeOwned, R>(
        self,
        accept: impl FnOnce(Vec<T>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let on = self.on;
        let sql = run::begin(on, self.statement.needs_types()).await?;
        run::rows(on, self.write(sql)?, accept).await
    }

    /// Returns the statement of [`rows`](Self::rows) for a tenant.
    ///
    /// # Errors
    ///
    /// If the statement is rejected.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        self.write(TableSql::new(tenant))
    }

    fn write(self, sql: TableSql) -> Result<TableSql, TableError> {
        let columns = self.columns?;
        let mut sql = self.statement.write(sql)?;
        sql.push(" RETURNING ").row(&columns, &[]);
        Ok(sql)
    }
}

impl fmt::Debug for Returning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Returning").field(&self.statement).finish()
    }
}
