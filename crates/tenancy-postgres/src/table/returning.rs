//! What writes, and gives the rows that it wrote.

use std::fmt;

use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::error::TableError;
use super::insert::Insert;
use super::name::Columns;
use super::query::{Change, Query};
use super::run::{self, Execute};
use super::sql::TableSql;
use crate::error::Error;

/// An insert, upsert, update or delete that gives the rows that it wrote.
#[must_use = "nothing is sent until its rows are asked for"]
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

    /// The rows, in no order that is promised.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] where the statement is refused, or a row is not a `T`.
    /// - [`Error::Mismatch`] where a row is another tenant's.
    /// - Those of [`TenantDb::tx`](crate::TenantDb::tx) and [`TenantTx::query`](crate::TenantTx::query).
    ///
    /// With an error a statement of its own has written nothing, but for
    /// [`CommitUnknown`](Error::CommitUnknown). In a [`TenantTx`](crate::TenantTx) it is for the program to roll back.
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        self.accept(Ok).await
    }

    /// The one row that there is.
    ///
    /// # Errors
    ///
    /// [`TableError::NoRow`] or [`TableError::ManyRows`], and those of [`rows`](Self::rows).
    pub async fn single<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.accept(|rows| run::at_most_one(rows)?.ok_or(TableError::NoRow.into())).await
    }

    /// The one row that there is, or none.
    ///
    /// # Errors
    ///
    /// As [`single`](Self::single), but for [`TableError::NoRow`].
    pub async fn maybe_single<T: DeserializeOwned>(self) -> Result<Option<T>, Error> {
        self.accept(run::at_most_one).await
    }

    async fn accept<T: DeserializeOwned, R>(
        self,
        accept: impl FnOnce(Vec<T>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let on = self.on;
        run::rows(on, self.to_sql(on.tenant()?)?, accept).await
    }

    /// The statement of [`rows`](Self::rows), for a tenant.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        let columns = self.columns?;
        let mut sql = match self.writes {
            Writes::Insert(insert) => insert.to_sql(tenant)?,
            Writes::Change(change) => change.to_sql(tenant)?,
        };
        sql.push(" RETURNING ").row(&columns);
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
