//! What statements on tables run on: a database or a transaction.

use futures_util::future::BoxFuture;
use tenancy::TenantId;

use super::check;
use super::own_types::OwnTypesCache;
use super::sql::TableSql;
use crate::error::Error;
use crate::session::{Access, Answer, Kind, Param, Statement, TypesOf};

/// What a table's statement runs on.
pub(crate) trait Execute: Sync {
    /// The tenant of the statements.
    fn tenant(&self) -> Result<TenantId, Error>;

    /// Runs a statement in a transaction of its tenant, and verifies its rows.
    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>>;

    /// Begins a transaction for several steps. `None` if the statements already belong to a transaction.
    fn begin(&self, tenant: TenantId) -> Option<Begin<'_>>;

    /// Returns the cache of columns with types of their own, and whether it may be filled from here.
    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)>;
}

/// A transaction that is being begun.
pub(crate) type Begin<'a> = BoxFuture<'a, Result<Box<dyn OpenTx + 'a>, Error>>;

/// A transaction that [`Execute::begin`] began. It is rolled back unless it is committed.
pub(crate) trait OpenTx: Execute + Send {
    /// Commits the transaction.
    fn commit<'a>(self: Box<Self>) -> BoxFuture<'a, Result<(), Error>>
    where
        Self: 'a;

    /// Rolls the transaction back.
    fn rollback<'a>(self: Box<Self>) -> BoxFuture<'a, Result<(), Error>>
    where
        Self: 'a;
}

impl TableSql {
    /// Returns what the statement does to the database.
    pub(crate) fn access(&self) -> Access {
        if self.writes { Access::ReadWrite } else { Access::ReadOnly }
    }

    /// Returns the statement for a session, with its [`params`](Self::params).
    pub(crate) fn statement<'a>(&'a self, params: &'a [Param<'a>]) -> Statement<'a> {
        let kind = if self.writes || self.calls { Kind::Writes } else { Kind::Reads };
        Statement { sql: self.text(), params, kind, types: TypesOf::Values, verifies: self.gives_rows }
    }

    /// Verifies the columns of the rows that the session does not verify.
    pub(crate) fn verify(&self, answer: &Answer) -> Result<(), Error> {
        check::rows(&answer.rows, self)
    }
}
