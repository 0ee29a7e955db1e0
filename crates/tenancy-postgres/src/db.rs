//! A database, entered as one tenant at a time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tenancy::{TenantContext, TenantId};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Socket};

use crate::config::Config;
use crate::error::{Error, RoleProblem};
use crate::params::ParamTypes;
use crate::pool::Pool;
use crate::session::{Access, Answer, Session, Statement};
use crate::sign::SigningKey;
use crate::tx::TenantTx;
use crate::verify::TenantColumns;

/// Of the login's roles: is one a superuser, has one `BYPASSRLS`, does one own a table or a view.
const ROLE: &str = "SELECT pg_catalog.bool_or(r.rolsuper), pg_catalog.bool_or(r.rolbypassrls), EXISTS (\
     SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' \
     AND n.nspname <> 'information_schema' AND pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER')) \
     FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')";

/// A database, entered as one tenant at a time.
///
/// It has no method that runs without a tenant. The tenant is that of the context, or is given. Clones share their
/// connections.
///
/// ```no_run
/// use tenancy::TenantFutureExt;
/// use tenancy_postgres::{Config, Error, SigningKey, TenantDb};
///
/// # async fn example(tenant: tenancy::TenantId) -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let db = TenantDb::connect(Config::from_url("postgres://notes_service@localhost/notes", key)?).await?;
///
/// let id = async {
///     db.tx(async |tx| {
///         let rows = tx
///             .query("INSERT INTO notes (title) VALUES ($1) RETURNING tenant_id, id", &[&"first"])
///             .await?;
///         Ok::<i64, Error>(rows[0].get("id"))
///     })
///     .await
/// }
/// .in_tenant(tenant)
/// .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TenantDb {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
}

/// What all sessions of a database have in common.
pub(crate) struct Shared {
    pub(crate) key: SigningKey,
    lifetime: Duration,
    pub(crate) types: ParamTypes,
    pub(crate) columns: TenantColumns,
}

impl Shared {
    /// When a signature of now is good no more, in seconds of unix time.
    pub(crate) fn expiry(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from((now + self.lifetime).as_secs()).unwrap_or(i64::MAX)
    }
}

impl TenantDb {
    /// Connects without TLS, and refuses a user that could pass by row-level security.
    ///
    /// # Errors
    ///
    /// - [`Error::Config`] where the configuration can't work.
    /// - [`Error::Role`] where the user is a superuser, has `BYPASSRLS`, or owns a table or a view, be it by being a
    ///   member of another.
    /// - [`Error::Postgres`] or [`Error::PoolTimeout`] where the server can't be reached.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        Self::connect_tls(config, NoTls).await
    }

    /// Connects with a TLS connector of `tokio-postgres`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_tls<T>(config: Config, tls: T) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        config.check()?;
        let pool = Pool::new(&config, tls)?;
        let lease = pool.get().await?;
        check_role(lease.client().ok_or(Error::TxClosed)?).await?;
        lease.give_back();
        let Config { key, lifetime, .. } = config;
        let shared =
            Shared { key, lifetime, types: ParamTypes::default(), columns: TenantColumns::default() };
        Ok(Self { pool: Arc::new(pool), shared: Arc::new(shared) })
    }

    /// Runs a transaction of the context's tenant: committed where it gives `Ok`, rolled back where it gives `Err`.
    ///
    /// # Errors
    ///
    /// What it gives, and those of [`begin`](Self::begin) and of [`TenantTx::commit`].
    pub async fn tx<T, E: From<Error>>(
        &self,
        body: impl AsyncFnOnce(&TenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.tx_in(current()?, body).await
    }

    /// Runs a transaction of a tenant, as [`tx`](Self::tx) does.
    ///
    /// ```no_run
    /// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
    /// use tenancy::TenantId;
    ///
    /// let deleted = db.tx_in(TenantId::PLATFORM, async |tx| tx.execute("DELETE FROM drafts", &[]).await).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`tx`](Self::tx).
    pub async fn tx_in<T, E: From<Error>>(
        &self,
        tenant: TenantId,
        body: impl AsyncFnOnce(&TenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.begin_in(tenant).await?;
        match body(&tx).await {
            Ok(value) => {
                tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // Where it fails the connection is closed, and the body's error is the one that counts.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    /// A transaction of the context's tenant. It has a connection, and nothing is sent until its first statement.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] where the context has none.
    /// - [`Error::PoolTimeout`] where no connection is free in time.
    /// - [`Error::Postgres`] where a connection can't be made.
    pub async fn begin(&self) -> Result<TenantTx<'_>, Error> {
        self.begin_in(current()?).await
    }

    /// A transaction of a tenant.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), but for the first.
    pub async fn begin_in(&self, tenant: TenantId) -> Result<TenantTx<'_>, Error> {
        Ok(TenantTx::new(tenant, self.session(tenant, Access::ReadWrite).await?))
    }

    /// The rows of one statement that only reads, as the context's tenant: a transaction in one round trip.
    ///
    /// The first time that a statement has parameters, it takes another: the server is asked for their types.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin) and [`TenantTx::query`]. One that writes is refused by the server, for its rows would be
    /// committed by the time that they are looked at: [`tx`](Self::tx) is for those.
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = Statement { sql, params, is_raw: true, is_text: false, is_verified: true };
        Ok(self.one(Access::ReadOnly, statement).await?.rows)
    }

    /// Runs one statement as the context's tenant, and says how many rows it touched: a transaction in one round trip.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), [`TenantTx::execute`] and [`TenantTx::commit`].
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let statement = Statement { sql, params, is_raw: true, is_text: false, is_verified: false };
        Ok(self.one(Access::ReadWrite, statement).await?.affected)
    }

    async fn one(&self, access: Access, statement: Statement<'_>) -> Result<Answer, Error> {
        self.session(current()?, access).await?.run_and_commit(statement).await
    }

    pub(crate) async fn session(&self, tenant: TenantId, access: Access) -> Result<Session<'_>, Error> {
        Ok(Session::new(&self.shared, self.pool.get().await?, tenant, access))
    }
}

fn current() -> Result<TenantId, Error> {
    Ok(TenantContext::get()?)
}

async fn check_role(client: &Client) -> Result<(), Error> {
    let rows = client.query_typed(ROLE, &[]).await?;
    let row = rows.first().ok_or(Error::TxClosed)?;
    for (column, problem) in
        [RoleProblem::Superuser, RoleProblem::BypassRls, RoleProblem::Owner].iter().enumerate()
    {
        if row.try_get::<_, Option<bool>>(column)?.unwrap_or(true) {
            return Err(Error::Role(*problem));
        }
    }
    Ok(())
}

impl fmt::Debug for TenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantDb")
            .field("pool", &self.pool)
            .field("key", &self.shared.key)
            .finish_non_exhaustive()
    }
}
