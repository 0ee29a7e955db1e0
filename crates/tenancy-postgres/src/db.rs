//! A database, entered as one tenant at a time.

use std::fmt;
use std::sync::Arc;

use tenancy::{TenantContext, TenantId};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row, Socket};
use uuid::Uuid;

use crate::audit::{Finding, audit_as, critical};
use crate::binding::Binding;
use crate::config::Config;
use crate::error::Error;
use crate::migrations::{Migration, migrations};
use crate::params::ParamTypes;
use crate::pool::Pool;
use crate::session::{Access, Answer, Session, Statement};
use crate::table::own_types::OwnTypesCache;
use crate::tx::TenantTx;
use crate::verify::TenantColumns;

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
    subject: Option<Uuid>,
}

/// What all sessions of a database have in common.
pub(crate) struct Shared {
    pub(crate) binding: Binding,
    /// [`Binding::enter_sql`]: the same for each transaction.
    pub(crate) enter: String,
    /// A connection is a session of the server's: no pooler stands between.
    pub(crate) is_direct: bool,
    pub(crate) types: ParamTypes,
    pub(crate) columns: TenantColumns,
    pub(crate) own_types: OwnTypesCache,
}

impl TenantDb {
    /// Connects without TLS, and refuses a database that would leak: it runs the [audit](crate::audit).
    ///
    /// # Errors
    ///
    /// - [`Error::Config`] where the configuration can't work.
    /// - [`Error::Leaks`] where the audit has a critical finding: a user that passes by row-level security, a table
    ///   that nobody enabled, and so on. It names each, and how to mend it.
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
        let (pool, is_direct) = Pool::open(&config, tls).await?;
        let mut lease = pool.get().await?;
        let leaks = critical(audit_as(lease.client_mut()?, &config.binding).await?);
        if !leaks.is_empty() {
            return Err(Error::Leaks(leaks));
        }
        lease.give_back();
        let (types, columns) = (ParamTypes::default(), TenantColumns::default());
        let enter = config.binding.enter_sql();
        let shared = Shared {
            binding: config.binding,
            enter,
            is_direct,
            types,
            columns,
            own_types: OwnTypesCache::default(),
        };
        Ok(Self { pool: Arc::new(pool), shared: Arc::new(shared), subject: None })
    }

    /// The versions of the schema `tenancy`, for who runs migrations by a tool of their own.
    pub fn migrations() -> &'static [Migration] {
        migrations()
    }

    /// Lists what would leak now: [`connect`](Self::connect) has looked once, and tables come and go.
    ///
    /// # Errors
    ///
    /// [`Error::PoolTimeout`] where no connection is free in time, [`Error::Postgres`] where the server refuses.
    pub async fn audit(&self) -> Result<Vec<Finding>, Error> {
        let mut lease = self.pool.get().await?;
        let findings = audit_as(lease.client_mut()?, &self.shared.binding).await?;
        lease.give_back();
        Ok(findings)
    }

    /// The same database, for one user of a tenant: `sub` among the claims of [`Supabase`](crate::Supabase).
    /// Without that it changes nothing.
    #[must_use]
    pub fn with_subject(&self, subject: Uuid) -> Self {
        Self { subject: Some(subject), ..self.clone() }
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

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) async fn session(&self, tenant: TenantId, access: Access) -> Result<Session<'_>, Error> {
        let session = Session::new(&self.shared, self.pool.get().await?, tenant, access);
        Ok(session.with_subject(self.subject))
    }
}

fn current() -> Result<TenantId, Error> {
    Ok(TenantContext::get()?)
}

impl fmt::Debug for TenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantDb")
            .field("pool", &self.pool)
            .field("binding", &self.shared.binding)
            .finish_non_exhaustive()
    }
}
