//! A transaction of one tenant, on sqlx.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};
use tenancy::TenantId;
use uuid::Uuid;

use super::error::{ESCAPED, SqlxError};
use crate::session::CLEAN_SESSION;

/// Returns the number of statements that sqlx prepared in the session, or -1 if they may use a temporary table. It is
/// the first row of the message, and the only one that is read.
const PREPARED: &str = "SELECT CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid \
     THEN pg_catalog.count(*) ELSE -1 END FROM pg_catalog.pg_prepared_statements p WHERE NOT p.from_sql";

/// A transaction of one tenant, on sqlx. It derefs to the connection.
///
/// It accepts any SQL. SQL that ends the transaction also ends its tenant: enabled tables then reject all statements,
/// and the commit returns [`SqlxError::TxEscaped`]. Statements on other tables still run, and are committed.
///
/// A transaction that begins on it is a savepoint, as usual with sqlx. Without [`commit`](Self::commit) nothing is
/// kept: if a transaction is dropped, its connection is closed. A running statement continues on the server, because
/// sqlx cannot cancel it; set `statement_timeout` to limit it.
pub struct SqlxTenantTx<'a> {
    tenant: TenantId,
    inner: Transaction<'a, Postgres>,
    /// The flag of the connection.
    is_clean: &'a mut bool,
}

impl<'a> SqlxTenantTx<'a> {
    pub(super) fn new(tenant: TenantId, inner: Transaction<'a, Postgres>, is_clean: &'a mut bool) -> Self {
        Self { tenant, inner, is_clean }
    }

    /// Returns the tenant of the transaction.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Commits the transaction. Before that, what the SQL left in the session is reset.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::CommitUnknown`] if the reply was lost.
    /// - [`SqlxError::Sqlx`] if the server did not commit, because of a deferred constraint or a statement that failed
    ///   before.
    /// - [`SqlxError::TxEscaped`] if the SQL ended the transaction before, or left its tenant.
    pub async fn commit(self) -> Result<(), SqlxError> {
        let (assert, clean) = (assert_held(self.tenant), CLEAN_SESSION.join("; "));
        let sql = format!("SET CONSTRAINTS ALL IMMEDIATE; {assert}; {PREPARED}; {clean}; COMMIT AND CHAIN");
        // What follows it ends an empty transaction, and only decides whether the connection is used again.
        self.end(sql).await.map_err(SqlxError::of_commit)
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::TxEscaped`] if the SQL ended the transaction before. What it committed is not rolled back.
    /// - [`SqlxError::Sqlx`] if the connection broke. The server then rolls back by itself.
    pub async fn rollback(self) -> Result<(), SqlxError> {
        let clean = CLEAN_SESSION.join("; ");
        self.end(format!("ROLLBACK AND CHAIN; {PREPARED}; {clean}")).await.map_err(SqlxError::of_rollback)
    }

    /// Runs SQL that ends the transaction and begins an empty one.
    ///
    /// The empty transaction prevents that a pooler assigns the session to another client before it is clean. sqlx,
    /// which counts transactions, ends it.
    async fn end(mut self, sql: String) -> Result<(), sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.inner).await?;
        let there = rows.first().and_then(|row| row.try_get::<i64, _>(0).ok());
        // If some are missing, SQL deallocated them, and sqlx would still use their names.
        let is_whole =
            there.and_then(|there| usize::try_from(there).ok()) >= Some(self.inner.cached_statements_size());
        // The commit fails if a savepoint is open.
        *self.is_clean = self.inner.commit().await.is_ok() && is_whole;
        Ok(())
    }
}

/// Returns a statement that fails if the context is not that of the tenant.
fn assert_held(tenant: TenantId) -> String {
    format!(
        "DO $$BEGIN IF tenancy.tenant_id() OPERATOR(pg_catalog.=) '{}'::pg_catalog.uuid IS NOT TRUE THEN \
         RAISE insufficient_privilege; END IF; EXCEPTION WHEN insufficient_privilege THEN \
         RAISE EXCEPTION USING ERRCODE = '{ESCAPED}', MESSAGE = 'tenancy: the tenant was left'; END$$",
        Uuid::from(tenant)
    )
}

impl Deref for SqlxTenantTx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for SqlxTenantTx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl fmt::Debug for SqlxTenantTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxTenantTx").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}
