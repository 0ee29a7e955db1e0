//! A transaction of one tenant, on sqlx.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};
use tenancy::TenantId;
use uuid::Uuid;

use super::error::SqlxError;
use crate::session::CLEAN_SESSION;

/// How many statements that sqlx prepared are there, and less than none where they may have been prepared over a
/// temporary table: one row, the only one of a message that is looked at.
const PREPARED: &str = "SELECT CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid \
     THEN pg_catalog.count(*) ELSE -1 END FROM pg_catalog.pg_prepared_statements p WHERE NOT p.from_sql";

/// `no_active_sql_transaction`, as the server says where there is none.
pub(super) const ESCAPED: &str = "25P01";

/// A transaction of one tenant, on sqlx. It derefs to the connection.
///
/// Its SQL may be anything, of any number of statements. After SQL that ends it there is no tenant, so the tables of
/// tenants refuse what follows, and the commit is [`SqlxError::TxEscaped`]; other tables don't.
///
/// Transactions that begin on it are savepoints, as sqlx has them. Without [`commit`](Self::commit) nothing is kept:
/// a transaction that is dropped has its connection closed. What the server is doing for it goes on until it is done,
/// for sqlx has no way to cancel it: `statement_timeout` ends it.
pub struct SqlxTenantTx<'a> {
    tenant: TenantId,
    inner: Transaction<'a, Postgres>,
    /// The connection's.
    is_clean: &'a mut bool,
}

impl<'a> SqlxTenantTx<'a> {
    pub(super) fn new(tenant: TenantId, inner: Transaction<'a, Postgres>, is_clean: &'a mut bool) -> Self {
        Self { tenant, inner, is_clean }
    }

    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Keeps what was done. Before it does, what the SQL left in the session is taken out of it.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::CommitUnknown`] where the answer was lost.
    /// - [`SqlxError::Sqlx`] where the server refused: a deferred constraint, or a statement that failed before.
    /// - [`SqlxError::TxEscaped`] where the SQL ended it before, or left its tenant.
    pub async fn commit(self) -> Result<(), SqlxError> {
        let (assert, clean) = (assert_held(self.tenant), CLEAN_SESSION.join("; "));
        let sql = format!("SET CONSTRAINTS ALL IMMEDIATE; {assert}; {PREPARED}; {clean}; COMMIT AND CHAIN");
        // What comes after it ends an empty transaction, and decides of the connection alone.
        self.end(sql).await.map_err(SqlxError::of_commit)
    }

    /// Takes back what was done.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::TxEscaped`] where the SQL ended it before: that is not taken back.
    /// - [`SqlxError::Sqlx`] where the connection broke: the server rolls back by itself then.
    pub async fn rollback(self) -> Result<(), SqlxError> {
        let clean = CLEAN_SESSION.join("; ");
        self.end(format!("ROLLBACK AND CHAIN; {PREPARED}; {clean}")).await.map_err(SqlxError::of_rollback)
    }

    /// The SQL leaves an empty transaction, so that no pooler gives the session to another before it is clean, and so
    /// that sqlx, which counts transactions, ends its own.
    async fn end(mut self, sql: String) -> Result<(), sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *self.inner).await?;
        let there = rows.first().and_then(|row| row.try_get::<i64, _>(0).ok());
        // Where some are missing, SQL took them away, and sqlx would go on using their names.
        let is_whole =
            there.and_then(|there| usize::try_from(there).ok()) >= Some(self.inner.cached_statements_size());
        // It fails where a savepoint was left open.
        *self.is_clean = self.inner.commit().await.is_ok() && is_whole;
        Ok(())
    }
}

/// The context stands, and is still the tenant's.
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
