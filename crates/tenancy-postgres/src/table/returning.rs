//! Statements that write rows and return them.

use std::fmt;

use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::column::Columns;
use super::error::TableError;
use super::insert::Insert;
use super::query::{Change, Query};
use super::run::{self, Execute};
use super::sql::TableSql;
use crate::error::Error;

/// An insert, upsert, update or delete that returns the rows that it wrote.
#[must_use = "nothing is sent until its rows are requested"]
pub struct Returning<'a> {
    on: &'a dyn Execute,
    columns: Result<Columns, TableError>,
    writes: Writes<'a>,
}

pub(super) enum Writes<'a> {
    Insert(Insert<'a>),
    Change(Query<'a, Change>),
}

impl<'a> Returning<'a> {
    pub(super) fn new(on: &'a dyn Execute, columns: &str, writes: Writes<'a>) -> Self {
        Self { on, columns: Columns::parse(columns), writes }
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
        let needs_types = match &self.writes {
            Writes::Insert(insert) => insert.needs_types(),
            Writes::Change(change) => change.needs_types(),
        };
        let sql = run::begin(on, needs_types).await?;
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
        let mut sql = match self.writes {
            Writes::Insert(insert) => insert.write(sql)?,
            Writes::Change(change) => change.write(sql)?,
        };
        sql.push(" RETURNING ").row(&columns, &[]);
        Ok(sql)
    }
}

impl fmt::Debug for Returning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.writes {
            Writes::Insert(insert) => f.debug_tuple("Returning").field(insert).finish(),
            Writes::Change(change) => f.debug_tuple("Returning").field(change).finish(),
        }
    }
}
