//! A transaction of one tenant.

use std::fmt;

use tenancy::TenantId;
use tokio::sync::Mutex;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::params::Param;
use crate::session::{Answer, Session, Statement};

/// A transaction of one tenant.
///
/// Its SQL may be anything that Postgres takes as one statement. The tenant is entered with the first one, in the same
/// round trip, and each is followed by a look whether the tenant still stands: SQL that ends the transaction is
/// [`Error::TxEscaped`], and nothing runs after it. There is no way to the connection itself:
///
/// ```compile_fail,E0599
/// async fn raw(tx: tenancy_postgres::TenantTx<'_>) { tx.batch_execute("COMMIT; SELECT 1").await; }
/// ```
///
/// Without [`commit`](Self::commit) nothing is kept: a transaction that is dropped has its connection closed, and what
/// the server is doing for it is cancelled. Statements of one transaction wait for each other; one that is dropped
/// before it is done closes the transaction.
///
/// `COPY` is refused, and closes it too.
pub struct TenantTx<'a> {
    tenant: TenantId,
    pub(crate) session: Mutex<Session<'a>>,
}

impl<'a> TenantTx<'a> {
    pub(crate) fn new(tenant: TenantId, session: Session<'a>) -> Self {
        Self { tenant, session: Mutex::new(session) }
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The rows of one statement, each of which is the tenant's.
    ///
    /// Each must have the `tenant_id` of each table that it has columns of, where that table has one:
    /// `SELECT tenant_id, title FROM notes`, `INSERT … RETURNING tenant_id, id`. For counts and sums there is
    /// [`query_unverified`](Self::query_unverified).
    ///
    /// ```no_run
    /// # async fn example(tx: &tenancy_postgres::TenantTx<'_>) -> Result<(), tenancy_postgres::Error> {
    /// let rows = tx.query("SELECT tenant_id, title FROM notes WHERE id = $1", &[&1_i64]).await?;
    /// let title: &str = rows[0].get("title");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::Mismatch`] where a row is another tenant's: the result is dropped, the transaction is over, and its
    ///   connection is closed.
    /// - [`Error::MissingTenantColumn`] where a row does not tell whose it is.
    /// - [`Error::TxEscaped`] where the statement ended the transaction, or left its tenant.
    /// - [`Error::TxClosed`] after an error that closed it.
    /// - [`Error::Postgres`] where the server refused. But for a rollback to a savepoint, the transaction can then only
    ///   be rolled back.
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.raw(sql, params, true).await?.rows)
    }

    /// The rows of one statement, of which nobody looks whose they are.
    ///
    /// For what is no row of a table: `SELECT count(*) FROM notes`. The database's own check still stands, and what a
    /// view or a function shows past it, this shows too.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), but for the first two.
    pub async fn query_unverified(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        Ok(self.raw(sql, params, false).await?.rows)
    }

    /// Runs one statement, and says how many rows it touched.
    ///
    /// # Errors
    ///
    /// As [`query_unverified`](Self::query_unverified).
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.raw(sql, params, false).await?.affected)
    }

    /// Keeps what was done. Before it does, what the SQL left in the session is taken out of it.
    ///
    /// # Errors
    ///
    /// - [`Error::CommitUnknown`] where the answer was lost.
    /// - [`Error::Postgres`] where the server refused: a deferred constraint, or a statement that failed before.
    /// - [`Error::TxEscaped`], [`Error::TxClosed`] where it was over already.
    pub async fn commit(self) -> Result<(), Error> {
        self.session.into_inner().commit().await
    }

    /// Takes back what was done. Where it is over already, there is nothing to take back.
    ///
    /// # Errors
    ///
    /// [`Error::Postgres`] where the connection broke: the server rolls back by itself then.
    pub async fn rollback(self) -> Result<(), Error> {
        self.session.into_inner().rollback().await
    }

    async fn raw(&self, sql: &str, params: &[Param<'_>], is_verified: bool) -> Result<Answer, Error> {
        let statement = Statement { sql, params, is_raw: true, is_text: false, is_verified };
        self.session.lock().await.run(statement).await
    }
}

impl fmt::Debug for TenantTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}
