//! The access of a body to its tenant's file.

use std::fmt;
use std::ops::Deref;

use rusqlite::{CachedStatement, Params, Row, Statement};
use tenancy::TenantId;

use crate::error::Error;
use crate::session::{Session, is_of_transactions};

/// A tenant's file in the body of a [`read`](crate::TenantFiles::read). It shows one state of the file.
///
/// A reader, and the statements that it prepares, cannot outlive the body:
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
/// It dereferences to a [`TenantReader`]. `SAVEPOINT`, `RELEASE` and `ROLLBACK TO` work.
pub struct TenantTx<'s>(TenantReader<'s>);

impl<'s> TenantReader<'s> {
    pub(crate) fn new(session: &'s Session, tenant: TenantId) -> Self {
        Self { session, tenant, writes: false }
    }

    /// Returns the file's tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Prepares a statement.
    ///
    /// # Errors
    ///
    /// - [`Error::Denied`] if the statement would leave the file.
    /// - [`Error::TxEscaped`] if it would end the transaction.
    /// - [`Error::ReadOnly`] if it writes, and this is a read.
    /// - [`Error::Sqlite`] if the text is not a statement, or has more than one.
    pub fn prepare(&self, sql: &str) -> Result<Statement<'_>, Error> {
        self.session.begin_statement();
        let statement = self.session.sql().prepare(sql).map_err(|error| self.explain(error))?;
        self.check(&statement)?;
        Ok(statement)
    }

    /// Prepares a statement, or takes it from the connection's cache.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`prepare`](Self::prepare).
    pub fn prepare_cached(&self, sql: &str) -> Result<CachedStatement<'_>, Error> {
        if is_of_transactions(sql) {
            return Err(self.prepare(sql).err().unwrap_or(Error::TxEscaped));
        }
        self.session.begin_statement();
        let statement = self.session.sql().prepare_cached(sql).map_err(|error| self.explain(error))?;
        self.check(&statement)?;
        Ok(statement)
    }

    /// Returns the first row of a statement.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`prepare`](Self::prepare) and of `row`, [`Error::Sqlite`] if there is no row,
    /// [`Error::TimeLimit`] and [`Error::MemoryLimit`].
    pub fn query_row<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.prepare_cached(sql)?.query_row(params, row).map_err(|error| self.explain(error))
    }

    /// Returns all rows of a statement.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`prepare`](Self::prepare) and of `row`, [`Error::TimeLimit`] and
    /// [`Error::MemoryLimit`].
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

    /// A statement from the cache may have been prepared in a write.
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

    /// Runs one statement, and returns the number of rows that it changed.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantReader::prepare`], [`Error::Full`] if the file would exceed its maximum size,
    /// [`Error::Sqlite`] if the statement returns rows, [`Error::TimeLimit`] and [`Error::MemoryLimit`].
    pub fn execute<P: Params>(&self, sql: &str, params: P) -> Result<usize, Error> {
        self.prepare_cached(sql)?.execute(params).map_err(|error| self.explain(error))
    }

    /// Runs several statements, until one fails.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`execute`](Self::execute).
    pub fn execute_batch(&self, sql: &str) -> Result<(), Error> {
        self.session.begin_statement();
        self.session.sql().execute_batch(sql).map_err(|error| self.explain(error))
    }

    /// Returns the id of the row that was inserted last.
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
