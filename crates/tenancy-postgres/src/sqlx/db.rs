//! A pool of sqlx that runs transactions of tenants.

use std::fmt;

use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenancy::{TenantContext, TenantId};

use super::connection::SqlxConnection;
use super::error::SqlxError;
use super::shared::Shared;
use super::tx::SqlxTenantTx;
use crate::audit::{
    AuditPolicy, Finding, PATH, SIGNED, VERSION, at, bodies, checks, conclude, critical, statement,
};
use crate::sign::SigningKey;

const HAS_TOKENS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_type t \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
     WHERE n.nspname OPERATOR(pg_catalog.=) 'tenancy' AND t.typname OPERATOR(pg_catalog.=) 'entering')";

/// A pool of sqlx that runs only transactions of tenants, for applications that already use sqlx.
///
/// It has two of the four layers: no transaction without a tenant, and row-level security on the signed context.
/// [`TenantDb`](crate::TenantDb) adds the others. Here, rows are not verified, so rows of other tenants that a view or
/// a function returns are not detected. There is no table API. SQL that ends its transaction is detected at the commit,
/// not at once.
///
/// The pool is not shared with other code, because that code could leave state in a session, and every connection needs
/// a tenant. What the SQL of a tenant leaves in a session (settings, cursors, locks, `LISTEN`, temporary tables,
/// prepared statements) is reset before the commit. Settings of [`after_connect`] are reset as well: use settings of
/// the role or [`PgConnectOptions::options`] instead. Do not run `DISCARD ALL` in [`after_release`]: it removes
/// statements that sqlx has prepared and still uses.
///
/// Transaction poolers are not supported, because sqlx names its statements and another session has other statements
/// under these names. Use `TenantDb`, or a pooler that supports named statements (pgbouncer 1.21 with
/// `max_prepared_statements`).
///
/// ```no_run
/// use sqlx::postgres::PgPoolOptions;
/// use tenancy::TenantFutureExt;
/// use tenancy_postgres::{SigningKey, SqlxError, SqlxTenantDb};
///
/// # async fn example(tenant: tenancy::TenantId) -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let pool = PgPoolOptions::new().max_connections(8);
/// let db = SqlxTenantDb::connect(pool, "postgres://notes_service@localhost/notes".parse()?, key).await?;
///
/// let id: i64 = async {
///     db.tx(async |tx| {
///         let sql = "INSERT INTO notes (title) VALUES ($1) RETURNING id";
///         Ok::<_, SqlxError>(sqlx::query_scalar(sql).bind("first").fetch_one(&mut **tx).await?)
///     })
///     .await
/// }
/// .in_tenant(tenant)
/// .await?;
/// # Ok(())
/// # }
/// ```
///
/// [`after_connect`]: PgPoolOptions::after_connect
/// [`after_release`]: PgPoolOptions::after_release
#[derive(Clone)]
pub struct SqlxTenantDb(Shared);

impl SqlxTenantDb {
    /// Connects, runs the [audit](crate::audit), and refuses a database with a critical finding.
    ///
    /// A connection that is closed may end after its successor was opened, so the server should allow more connections
    /// than the pool has.
    ///
    /// # Errors
    ///
    /// - [`SqlxError::Leaks`] if the audit has a critical finding.
    /// - [`SqlxError::Sqlx`] if the server cannot be reached.
    pub async fn connect(
        pool: PgPoolOptions,
        server: PgConnectOptions,
        key: SigningKey,
    ) -> Result<Self, SqlxError> {
        let pool = pool.connect_with(server).await?;
        let leaks = critical(audit(&mut *pool.acquire().await?).await?);
        if !leaks.is_empty() {
            return Err(SqlxError::Leaks(leaks));
        }
        let has_tokens = sqlx::query_scalar(HAS_TOKENS).persistent(false).fetch_one(&pool).await?;
        Ok(Self(Shared { pool, key, has_tokens }))
    }

    /// Runs a transaction of the current tenant. It commits if `body` returns `Ok`, and rolls back if it returns `Err`.
    ///
    /// # Errors
    ///
    /// The error of `body`, and those of [`acquire`](Self::acquire), of [`SqlxConnection::begin`] and of
    /// [`SqlxTenantTx::commit`].
    pub async fn tx<T, E: From<SqlxError>>(
        &self,
        body: impl AsyncFnOnce(&mut SqlxTenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.tx_in(TenantContext::get().map_err(SqlxError::from)?, body).await
    }

    /// Runs a transaction of a tenant, as [`tx`](Self::tx) does.
    ///
    /// # Errors
    ///
    /// As [`tx`](Self::tx).
    pub async fn tx_in<T, E: From<SqlxError>>(
        &self,
        tenant: TenantId,
        body: impl AsyncFnOnce(&mut SqlxTenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.acquire().await?;
        let mut tx = connection.begin_in(tenant).await?;
        match body(&mut tx).await {
            Ok(value) => {
                tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // If this fails the connection is closed. The error of the body is the one to report.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Takes a connection from the pool. It runs only transactions of tenants.
    ///
    /// # Errors
    ///
    /// [`SqlxError::Sqlx`] if no connection becomes free or can be opened in time.
    pub async fn acquire(&self) -> Result<SqlxConnection<'_>, SqlxError> {
        Ok(SqlxConnection::new(&self.0, self.0.pool.acquire().await?))
    }

    /// Closes the pool after the connections in use were returned.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }
}

/// Runs the audit on a connection of sqlx.
async fn audit(connection: &mut PgConnection) -> Result<Vec<Finding>, SqlxError> {
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    sqlx::raw_sql(PATH).execute(&mut *snapshot).await?;
    let own = "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = SESSION_USER";
    let role: Oid = sqlx::query_scalar(own).persistent(false).fetch_one(&mut *snapshot).await?;
    let version = sqlx::query(VERSION).persistent(false).fetch_one(&mut *snapshot).await?;
    let (version, number): (String, i32) = (version.try_get(0)?, version.try_get(1)?);
    let policy = AuditPolicy::new();
    let checks: Vec<_> = checks(number).collect();
    let query = sqlx::query(AssertSqlSafe(statement(&checks))).persistent(false).bind(role).bind(bodies());
    let query =
        query.bind(SIGNED.is_signed).bind(SIGNED.policy).bind(SIGNED.default).bind(Vec::<String>::new());
    let mut findings = Vec::new();
    for row in query.fetch_all(&mut *snapshot).await? {
        let check = at(&checks, row.try_get(0)?);
        let roles: String = row.try_get(5)?;
        findings.push(check.finding(
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            &roles,
        ));
    }
    snapshot.rollback().await?;
    Ok(conclude(findings, &version, number, &policy))
}

impl fmt::Debug for SqlxTenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxTenantDb")
            .field("size", &self.0.pool.size())
            .field("idle", &self.0.pool.num_idle())
            .field("key", &self.0.key)
            .finish_non_exhaustive()
    }
}
