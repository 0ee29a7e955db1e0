//! A connection of sqlx's pool, which goes back to it clean or not at all.

use std::fmt;
use std::time::SystemTime;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Postgres};
use tenancy::{TenantContext, TenantId};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::db::SqlxTenantDb;
use super::error::SqlxError;
use super::tx::SqlxTenantTx;
use crate::sign::SigningKey;

/// Parameters appear neither in `pg_stat_activity`, which the role's other sessions can read, nor in sqlx's log.
const ENTER: &str = "SELECT tenancy.enter($1)";
/// For a database at a version before context v2.
const ENTER_V1: &str = "SELECT tenancy.enter($1, $2, $3, $4)";

/// A connection of the pool, on which nothing runs but transactions of tenants.
///
/// It goes back to the pool if its last transaction was committed or rolled back. Otherwise it is closed: whatever
/// was dropped on the way, at whatever point.
///
/// ```no_run
/// # async fn example(db: &tenancy_postgres::SqlxTenantDb) -> Result<(), tenancy_postgres::SqlxError> {
/// let mut connection = db.acquire().await?;
/// let mut tx = connection.begin().await?;
/// sqlx::query("UPDATE notes SET title = $1").bind("all").execute(&mut *tx).await?;
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
pub struct SqlxConnection<'a> {
    db: &'a SqlxTenantDb,
    /// Some, but while an unclean one is replaced, and when it is closed.
    connection: Option<PoolConnection<Postgres>>,
    is_clean: bool,
}

impl<'a> SqlxConnection<'a> {
    pub(super) fn new(db: &'a SqlxTenantDb, connection: PoolConnection<Postgres>) -> Self {
        Self { db, connection: Some(connection), is_clean: true }
    }

    /// A transaction of the context's tenant.
    ///
    /// After one that was neither committed nor rolled back it takes another connection.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::Tenant`] where the context has none.
    /// - [`SqlxError::Sqlx`] where the server refuses the signature, or can't be reached.
    pub async fn begin(&mut self) -> Result<SqlxTenantTx<'_>, SqlxError> {
        self.begin_in(TenantContext::get()?).await
    }

    /// A transaction of a tenant.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), but for the first.
    pub async fn begin_in(&mut self, tenant: TenantId) -> Result<SqlxTenantTx<'_>, SqlxError> {
        if !self.is_clean {
            self.close();
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.db.pool.acquire().await?,
        };
        let connection = self.connection.insert(connection);
        self.is_clean = false;
        let mut tx = connection.begin().await?;
        if self.db.has_tokens {
            let token = self.db.key.token(tenant, SystemTime::now() + SigningKey::LIFETIME);
            sqlx::query(ENTER).bind(&token[..]).execute(&mut *tx).await?;
        } else {
            let expires = SigningKey::expiry(SigningKey::LIFETIME);
            let signature = self.db.key.sign(tenant, expires);
            let enter = sqlx::query(ENTER_V1).bind(Uuid::from(tenant)).bind(self.db.key.id());
            enter.bind(expires).bind(&signature[..]).execute(&mut *tx).await?;
        }
        Ok(SqlxTenantTx::new(tenant, tx, &mut self.is_clean))
    }

    /// The server ends what it does for it, and rolls back what is not committed.
    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for SqlxConnection<'_> {
    fn drop(&mut self) {
        // The pool takes it back by a task. Where there are none, it is closed.
        if !self.is_clean || Handle::try_current().is_err() {
            self.close();
        }
    }
}

impl fmt::Debug for SqlxConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxConnection").field("is_clean", &self.is_clean).finish_non_exhaustive()
    }
}
