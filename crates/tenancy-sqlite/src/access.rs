//! What a body gets: a tenant's file, and no way out of it.

use std::fmt;
use std::ops::Deref;

use rusqlite::{CachedStatement, Params, Row, Statement};
use tenancy::TenantId;

use crate::error::Error;
use crate::session::Session;

/// A tenant's file, as a [`read`](crate::TenantFiles::read) has it: one state of it, until the body ends.
///
/// It does not outlive the body:
///
/// ```compile_fail
/// # fn example(files: &tenancy_sqlite::TenantFiles) -> Result<(), tenancy_sqlite::Error> {
/// let kept = files.read(|file| Ok::<_, tenancy_sqlite::Error>(file.prepare("SELECT 1")?))?;
/// # Ok(())
/// # }
/// ```
pub struct TenantReader<'s> {
    session: &'s Session,
    tenant: TenantId,
    writes: bool,
}

/// A tenant's file in the transaction of a [`write`](crate::TenantFiles::write).
///
/// It also reads, as a [`TenantReader`] does. `SAVEPOINT`, `RELEASE` and `ROLLBACK TO` work.
pub struct TenantTx<'s>(TenantReader<'s>);

impl<'s> TenantReader<'s> {
    pub(crate) fn new(session: &'s Session, tenant: TenantId) -> Self {
        Self { session, tenant, writes: false }
    }

    /// Whose file it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Prepares a statement.
    ///
    /// # Errors
    ///
    /// - [`Error::Denied`] where it would leave the file, and [`Error::TxEscaped`] where it would end the transaction.
    /// - [`Error::ReadOnly`] where it writes, and this is a read.
    /// - [`Error::Sqlite`] where it is no statement, or more than one.
    pub fn prepare(&self, sql: &str) -> Result<Statement<'_>, Error> {
        let statement = self.session.sql().prepare(sql).map_err(|error| self.explain(error))?;
        self.check(&statement)?;
        Ok(statement)
    }

    /// Prepares a statement, or finds it prepared.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'_>, Error> {
        let statement = self.session.sql().prepare_cached(sql).map_err(|error| self.explain(error))?;
        self.check(&statement)?;
        Ok(statement)
    }

    /// The first row of a statement.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare); [`Error::Sqlite`] where there is no row, and those of `row`.
    pub fn query_row<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.prepare_cached(sql)?.query_row(params, row).map_err(|error| self.explain(error))
    }

    /// All rows of a statement.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare), and those of `row`.
    pub fn query<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.prepare_cached(sql)?;
        let rows = statement.query_map(params, row).and_then(Iterator::collect);
        rows.map_err(|error| self.explain(error))
    }

    /// A statement from the cache was judged in a write.
    fn check(&self, statement: &Statement<'_>) -> Result<(), Error> {
        if self.writes || statement.readonly() { Ok(()) } else { Err(Error::ReadOnly) }
    }

    fn explain(&self, error: rusqlite::Error) -> Error {
        self.session.explain(self.tenant, error)
    }
}

impl<'s> TenantTx<'s> {
    pub(crate) fn new(session: &'s Session, tenant: TenantId) -> Self {
        Self(TenantReader { session, tenant, writes: true })
    }

    /// Runs one statement, and says how many rows it changed.
    ///
    /// # Errors
    ///
    /// As [`TenantReader::prepare`]; [`Error::Full`] where the file may not grow; [`Error::Sqlite`] where it gives rows.
    pub fn execute<P: Params>(&self, sql: &str, params: P) -> Result<usize, Error> {
        self.prepare_cached(sql)?.execute(params).map_err(|error| self.explain(error))
    }

    /// Runs several statements.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute); it ends with the first that fails.
    pub fn execute_batch(&self, sql: &str) -> Result<(), Error> {
        self.session.sql().execute_batch(sql).map_err(|error| self.explain(error))
    }

    /// The row that was inserted last.
    pub fn last_insert_rowid(&self) -> i64 {
        self.session.sql().last_insert_rowid()
    }
}

impl<'s> Deref for TenantTx<'s> {
    type Target = TenantReader<'s>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for TenantReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantReader").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl fmt::Debug for TenantTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}
