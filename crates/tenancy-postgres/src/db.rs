//! A database handle that runs each statement as one tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use postgres_types::ToSql;
use serde::Serialize;
use tenancy::{TenantContext, TenantId};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use uuid::Uuid;

use crate::active::ActiveTenants;
use crate::audit::{AuditPolicy, Finding, audit_session, critical, keeps_session_state};
use crate::config::Config;
use crate::error::Error;
use crate::migrations::{Migration, migrations};
use crate::session::{Access, Answer, Kind, Pool, Session, Shared, Statement, TypesOf, find_entry};
use crate::table::execute::{Begin, Execute, OpenTx};
use crate::table::own_types::OwnTypesCache;
use crate::table::{Rpc, Table, TableSql};
use crate::tx::{TenantTx, TxOptions};
use crate::wire::{Row, Socket, Tls};

/// A database handle that runs each statement as one tenant.
///
/// No method runs a statement without a tenant. The tenant is the current one, or an argument. Clones share their
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
    policy: Arc<AuditPolicy>,
    active_tenants: Option<ActiveTenants>,
    own_types: Arc<OwnTypesCache>,
    subject: Option<Uuid>,
}

impl TenantDb {
    /// Connects, runs the [audit](crate::audit), and rejects a database that would leak.
    ///
    /// The connection uses TLS as the parameter `sslmode` of the connection string demands, with the feature `rustls`.
    ///
    /// # Errors
    ///
    /// - [`Error::Config`] if the configuration cannot work.
    /// - [`Error::Leaks`] if the audit has a critical finding, for example a user that bypasses row-level security or a
    ///   table that was not enabled. It names each finding, and its remedy.
    /// - [`Error::Postgres`], [`Error::Connection`] or [`Error::PoolTimeout`] if the server cannot be used.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let tls = Tls::of_options(&config.options)?;
        Self::open(config, tls).await
    }

    /// Connects with a TLS connector for `tokio-postgres`, instead of the one of the feature `rustls`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_tls<T>(config: Config, tls: T) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send + 'static,
        T::TlsConnect: Sync + Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
    {
        Self::open(config, Tls::of_tokio_postgres(tls)).await
    }

    async fn open(config: Config, tls: Tls) -> Result<Self, Error> {
        config.check()?;
        let (pool, is_direct) = Pool::open(&config, tls).await?;
        let mut lease = pool.get().await?;
        let findings = audit_session(lease.connection()?, &config.binding, &config.audit_policy).await?;
        let closes_raw_sessions = keeps_session_state(&findings);
        let leaks = critical(findings);
        if !leaks.is_empty() {
            return Err(Error::Leaks(leaks));
        }
        let entry = find_entry(lease.connection()?, &config.binding, config.uses_statements).await?;
        lease.give_back();
        let shared = Shared::new(config.binding.clone(), entry, is_direct, closes_raw_sessions);
        let policy = Arc::new(config.audit_policy);
        let active_tenants = config.active_tenants;
        let own_types = Arc::default();
        Ok(Self {
            pool: Arc::new(pool),
            shared: Arc::new(shared),
            policy,
            active_tenants,
            own_types,
            subject: None,
        })
    }

    /// The versions of the schema `tenancy`, for other migration tools.
    pub fn migrations() -> &'static [Migration] {
        migrations()
    }

    /// Runs the audit again, and returns its findings.
    ///
    /// [`connect`](Self::connect) runs the audit once. Tables that are created later are not part of that result.
    ///
    /// # Errors
    ///
    /// [`Error::PoolTimeout`] if no connection becomes free in time, and the errors of the server.
    pub async fn audit(&self) -> Result<Vec<Finding>, Error> {
        let mut lease = self.pool.get().await?;
        let findings = audit_session(lease.connection()?, &self.shared.binding, &self.policy).await?;
        lease.give_back();
        Ok(findings)
    }

    /// Returns the same database for one user of a tenant: the claim `sub` of [`Supabase`](crate::Supabase).
    ///
    /// Without Supabase's claims this changes nothing.
    #[must_use]
    pub fn with_subject(&self, subject: Uuid) -> Self {
        Self { subject: Some(subject), ..self.clone() }
    }

    /// Runs a transaction of the current tenant. It is committed if the closure returns `Ok`, and rolled back if it
    /// returns `Err`.
    ///
    /// # Errors
    ///
    /// The closure's error, and those of [`begin`](Self::begin) and of [`TenantTx::commit`].
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
                // If this fails the connection is closed, and the closure's error is the one to report.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Runs a transaction of the current tenant with an isolation level, and again if it conflicts with another one.
    ///
    /// A conflict is a serialization failure (SQLSTATE `40001`) or a deadlock (`40P01`), of a statement or of the
    /// commit. The closure then runs again in a new transaction, after a pause that grows from about 1 ms to 100 ms, at
    /// most [`TxOptions::retries`] times. It must not have effects outside of the transaction.
    ///
    /// ```no_run
    /// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
    /// use tenancy_postgres::{Isolation, TxOptions};
    ///
    /// let options = TxOptions::new().isolation(Isolation::Serializable).retries(5);
    /// db.tx_with(options, async |tx| tx.execute("UPDATE counters SET n = n + 1", &[]).await).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`tx`](Self::tx). After the last attempt, the conflict's error.
    pub async fn tx_with<T, E: From<Error>>(
        &self,
        options: TxOptions,
        body: impl AsyncFn(&TenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tenant = current()?;
        let mut attempt = 0;
        loop {
            let session = self.session(tenant, options.access()).await?.with_begin(options.sql());
            let tx = TenantTx::new(tenant, session, &self.own_types);
            let (is_conflict, outcome) = match body(&tx).await {
                Ok(value) => match tx.commit().await {
                    Ok(()) => return Ok(value),
                    Err(error) => (error.is_conflict(), Err(error.into())),
                },
                Err(error) => {
                    let is_conflict = tx.session.lock().await.has_conflict();
                    let _ = tx.rollback().await;
                    (is_conflict, Err(error))
                }
            };
            if !is_conflict || attempt == options.retries {
                return outcome;
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    /// Begins a transaction of the current tenant. It takes a connection; nothing is sent until its first statement.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] if no tenant is set.
    /// - [`Error::PoolTimeout`] if no connection becomes free in time.
    /// - [`Error::Connection`] if a connection cannot be established.
    pub async fn begin(&self) -> Result<TenantTx<'_>, Error> {
        self.begin_in(current()?).await
    }

    /// Begins a transaction of a tenant.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), except for the first.
    pub async fn begin_in(&self, tenant: TenantId) -> Result<TenantTx<'_>, Error> {
        let session = self.session(tenant, Access::ReadWrite).await?;
        Ok(TenantTx::new(tenant, session, &self.own_types))
    }

    /// Returns the rows of one statement that only reads, as the current tenant: a transaction in one round trip.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin) and [`TenantTx::query`]. The server rejects a statement that writes, with SQLSTATE
    /// `25006`, because its rows would be committed before they are verified: use [`tx`](Self::tx) for those.
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = Statement { sql, params, kind: Kind::Raw, types: TypesOf::Values, verifies: true };
        Ok(self.one(Access::ReadOnly, statement).await?.rows)
    }

    /// Runs one statement as the current tenant, and returns the number of rows that it affected: a transaction in one
    /// round trip.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin), [`TenantTx::execute`] and [`TenantTx::commit`].
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let statement = Statement { sql, params, kind: Kind::Raw, types: TypesOf::Server, verifies: false };
        Ok(self.one(Access::ReadWrite, statement).await?.affected)
    }

    /// Returns a table. Each of its statements is a transaction of its own, of the tenant that is current when it runs.
    ///
    /// A statement takes one round trip. One that writes and returns rows takes two: it is committed after its rows were
    /// verified and converted.
    pub fn table(&self, name: &'static str) -> Table<'_> {
        Table::new(name, self)
    }

    /// Calls a function of the database: `db.rpc("search_notes", json!({ "words": "first" }))`.
    pub fn rpc(&self, function: &'static str, arguments: impl Serialize) -> Rpc<'_> {
        Rpc::new(function, arguments, self)
    }

    async fn one(&self, access: Access, statement: Statement<'_>) -> Result<Answer, Error> {
        self.session(current()?, access).await?.run_and_commit(statement).await
    }

    pub(crate) async fn session(&self, tenant: TenantId, access: Access) -> Result<Session<'_>, Error> {
        if let Some(active_tenants) = &self.active_tenants {
            active_tenants.verify(tenant).await?;
        }
        let session = Session::new(&self.shared, self.pool.get().await?, tenant, access);
        Ok(session.with_subject(self.subject))
    }
}

impl Execute for TenantDb {
    fn tenant(&self) -> Result<TenantId, Error> {
        current()
    }

    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let session = self.session(sql.tenant(), sql.access()).await?;
            let params = sql.params();
            let answer = session.run_and_commit(sql.statement(&params)).await?;
            sql.verify(&answer)?;
            Ok(answer)
        })
    }

    fn begin(&self, tenant: TenantId) -> Option<Begin<'_>> {
        Some(Box::pin(async move {
            let tx: Box<dyn OpenTx> = Box::new(self.begin_in(tenant).await?);
            Ok(tx)
        }))
    }

    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)> {
        Box::pin(async { (self.own_types.as_ref(), true) })
    }
}

/// Returns the pause before a retry: a random time between half of the limit and the limit, so that transactions that
/// conflicted do not retry at the same time.
fn pause(attempt: u32) -> Duration {
    let longest = Duration::from_millis(1 << attempt.min(7)).min(Duration::from_millis(100));
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
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
