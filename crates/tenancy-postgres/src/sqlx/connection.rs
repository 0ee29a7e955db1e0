//! A connection of a pool of sqlx, which is returned to the pool only if it is clean.

use std::fmt;
use std::time::SystemTime;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Postgres};
use tenancy::{TenantContext, TenantId};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::error::SqlxError;
use super::shared::Shared;
use super::tx::SqlxTenantTx;
use crate::sign::SigningKey;

/// Parameters appear neither in `pg_stat_activity`, which the role's other sessions can read, nor in sqlx's log.
const ENTER: &str = "SELECT tenancy.enter($1)";
/// The statement for a database before version 5, which has only context v1.
const ENTER_V1: &str = "SELECT tenancy.enter($1, $2, $3, $4)";

/// A connection of the pool that runs only transactions of tenants.
///
/// It is returned to the pool if its last transaction was committed or rolled back. Otherwise it is closed, for example
/// after a future was dropped before it was complete.
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
    shared: &'a Shared,
    /// `None` while an unclean connection is replaced, and after it is closed.
    connection: Option<PoolConnection<Postgres>>,
    is_clean: bool,
}

impl<'a> SqlxConnection<'a> {
    pub(super) fn new(shared: &'a Shared, connection: PoolConnection<Postgres>) -> Self {
        Self { shared, connection: Some(connection), is_clean: true }
    }

    /// Begins a transaction of the current tenant.
    ///
    /// If the previous transaction was neither committed nor rolled back, its connection is closed and another one is
    /// used.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::Tenant`] if no tenant is set.
    /// - [`SqlxError::Sqlx`] if the server rejects the signature, or cannot be reached.
    pub async fn begin(&mut self) -> Result<SqlxTenantTx<'_>, SqlxError> {
        self.begin_in(TenantContext::get()?).await
    }

    /// Begins a transaction of a tenant.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), except for the first.
    pub async fn begin_in(&mut self, tenant: TenantId) -> Result<SqlxTenantTx<'_>, SqlxError> {
        if !self.is_clean {
            self.close();
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.pool.acquire().await?,
        };
        let connection = self.connection.insert(connection);
        self.is_clean = false;
        let mut tx = connection.begin().await?;
        if self.shared.has_tokens {
            let token = self.shared.key.token(tenant, SystemTime::now() + SigningKey::LIFETIME);
            sqlx::query(ENTER).bind(&token[..]).execute(&mut *tx).await?;
        } else {
            let expires = SigningKey::expiry(SigningKey::LIFETIME);
            let signature = self.shared.key.sign(tenant, expires);
            let enter = sqlx::query(ENTER_V1).bind(Uuid::from(tenant)).bind(self.shared.key.id());
            enter.bind(expires).bind(&signature[..]).execute(&mut *tx).await?;
        }
        Ok(SqlxTenantTx::new(tenant, tx, &mut self.is_clean))
    }

    /// Closes the connection. The server then rolls back what was not committed.
    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for SqlxConnection<'_> {
    fn drop(&mut self) {
        // The pool takes a connection back in a task. Outside of a runtime it is closed instead.
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
