//! A transaction of one tenant.

use std::fmt;

use futures_util::future::BoxFuture;
use postgres_types::ToSql;
use serde::Serialize;
use tenancy::TenantId;
use tokio::sync::Mutex;

use crate::error::Error;
use crate::session::{Access, Answer, Kind, Param, Session, Statement, TypesOf};
use crate::stream::RowStream;
use crate::table::execute::{Begin, Execute, OpenTx};
use crate::table::own_types::OwnTypesCache;
use crate::table::{Rpc, Table, TableSql};
use crate::wire::Row;

/// A transaction of one tenant.
///
/// A statement may be anything that Postgres accepts as one statement. The tenant is entered with the first statement,
/// in the same round trip. After each statement the context is checked: SQL that ended the transaction or left its
/// tenant is [`Error::TxEscaped`], and nothing runs after it. The connection itself is not accessible:
///
/// ```compile_fail,E0599
/// async fn raw(tx: tenancy_postgres::TenantTx<'_>) { tx.batch_execute("COMMIT; SELECT 1").await; }
/// ```
///
/// Only [`commit`](Self::commit) stores changes: if the transaction is dropped, its connection is closed, and a
/// running statement is cancelled. Statements of one transaction wait for each other. A statement that is dropped before
/// it is done closes the transaction.
///
/// `COPY` from or to the client is not supported, and closes the transaction.
///
/// # Parameters
///
/// Text is sent without a type, and the server converts it to what the statement needs, for example an enum, `jsonb` or
/// a date. Another value of a query is sent as the type that it names: `i64` as `bigint`, `Uuid` as `uuid`. For a
/// statement of [`execute`](Self::execute), for a value that can mean several types, and for types that the database
/// defines, the server is asked for the type, which takes a round trip the first time. A value that has another type is
/// [`Error::Parameter`]; the transaction goes on.
pub struct TenantTx<'a> {
    tenant: TenantId,
    pub(crate) session: Mutex<Session<'a>>,
    own_types: &'a OwnTypesCache,
}

impl<'a> TenantTx<'a> {
    pub(crate) fn new(tenant: TenantId, session: Session<'a>, own_types: &'a OwnTypesCache) -> Self {
        Self { tenant, session: Mutex::new(session), own_types }
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns the rows of one statement, after verifying that each of them belongs to the tenant.
    ///
    /// The result must have the `tenant_id` of each table that it has columns of, if that table has one:
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
    /// - [`Error::Mismatch`] if a row belongs to another tenant: the result is discarded, the transaction is over, and
    ///   its connection is closed.
    /// - [`Error::MissingTenantColumn`] if the result does not tell which tenant its rows belong to.
    /// - [`Error::TxEscaped`] if the statement ended the transaction, or left its tenant.
    /// - [`Error::TxClosed`] after an error that closed the transaction.
    /// - [`Error::Parameter`] if a value cannot be sent as the type that the statement needs.
    /// - [`Error::Postgres`] if the server rejected the statement. The transaction can then only be rolled back, as a
    ///   whole or to a savepoint.
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.raw(sql, params, TypesOf::Values, true).await?.rows)
    }

    /// Returns the rows of one statement without verifying which tenant they belong to.
    ///
    /// Use it for results that are not rows of a table: `SELECT count(*) FROM notes`. Row-level security still applies.
    /// Rows of a view or a function that bypasses row-level security are returned.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), except for the first two.
    pub async fn query_unverified(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        Ok(self.raw(sql, params, TypesOf::Values, false).await?.rows)
    }

    /// Returns the rows of one statement as a stream, in batches, so that a large result does not fill the memory.
    ///
    /// Each row is verified as by [`query`](Self::query) before it is returned. Other statements of the transaction may
    /// run between two rows.
    ///
    /// ```no_run
    /// # async fn example(tx: &tenancy_postgres::TenantTx<'_>) -> Result<(), tenancy_postgres::Error> {
    /// let mut rows = tx.query_stream("SELECT tenant_id, title FROM notes", &[]).await?;
    /// while let Some(row) = rows.next().await? {
    ///     println!("{}", row.get::<_, &str>("title"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub async fn query_stream<'b>(
        &'b self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream<'b, 'a>, Error> {
        RowStream::open(&self.session, sql, params).await
    }

    /// Runs one statement, and returns the number of rows that it affected.
    ///
    /// # Errors
    ///
    /// As [`query_unverified`](Self::query_unverified).
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.raw(sql, params, TypesOf::Server, false).await?.affected)
    }

    /// Returns a table whose statements are part of this transaction.
    pub fn table(&self, name: &'static str) -> Table<'_> {
        Table::new(name, self)
    }

    /// Calls a function of the database: `db.rpc("search_notes", json!({ "words": "first" }))`.
    pub fn rpc(&self, function: &'static str, arguments: impl Serialize) -> Rpc<'_> {
        Rpc::new(function, arguments, self)
    }

    /// Commits the transaction. Before that, what the SQL left in the session is reset.
    ///
    /// # Errors
    ///
    /// - [`Error::CommitUnknown`] if the connection broke before the answer arrived.
    /// - [`Error::Postgres`] if the server did not commit: a deferred constraint, or a statement that failed before.
    /// - [`Error::TxEscaped`], [`Error::TxClosed`] if the transaction was over before.
    pub async fn commit(self) -> Result<(), Error> {
        self.session.into_inner().commit().await
    }

    /// Rolls the transaction back. If it is over already, this does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Connection`] if the connection broke: the server then rolls back by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        self.session.into_inner().rollback().await
    }

    async fn raw(
        &self,
        sql: &str,
        params: &[Param<'_>],
        types: TypesOf,
        verifies: bool,
    ) -> Result<Answer, Error> {
        let statement = Statement { sql, params, kind: Kind::Raw, types, verifies };
        self.session.lock().await.run(statement).await
    }
}

impl Execute for TenantTx<'_> {
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(self.tenant)
    }

    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let params = sql.params();
            let mut session = self.session.lock().await;
            let answer = session.run(sql.statement(&params)).await?;
            if let Err(error) = sql.verify(&answer) {
                session.close();
                return Err(error);
            }
            Ok(answer)
        })
    }

    fn begin(&self, _: TenantId) -> Option<Begin<'_>> {
        None
    }

    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)> {
        Box::pin(async {
            let session = self.session.lock().await;
            (self.own_types, !session.leaves_state())
        })
    }
}

impl OpenTx for TenantTx<'_> {
    fn commit<'a>(self: Box<Self>) -> BoxFuture<'a, Result<(), Error>>
    where
        Self: 'a,
    {
        Box::pin(TenantTx::commit(*self))
    }

    fn rollback<'a>(self: Box<Self>) -> BoxFuture<'a, Result<(), Error>>
    where
        Self: 'a,
    {
        Box::pin(TenantTx::rollback(*self))
    }
}

impl fmt::Debug for TenantTx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantTx").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// The isolation level of a transaction.
///
/// See [the documentation of Postgres](https://www.postgresql.org/docs/current/transaction-iso.html).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first of them began.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}

/// Options of a transaction: [`TenantDb::tx_with`](crate::TenantDb::tx_with).
///
/// Without options, a transaction has the defaults of the role and the database.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct TxOptions {
    /// The isolation level; by default the one of the role.
    pub isolation: Option<Isolation>,
    /// Whether the transaction may only read.
    pub read_only: bool,
    /// The number of retries after a conflict with another transaction, 0 by default.
    pub retries: u32,
}

impl TxOptions {
    /// The defaults of the role, and no retries.
    pub const fn new() -> Self {
        Self { isolation: None, read_only: false, retries: 0 }
    }

    /// Sets the isolation level.
    #[must_use]
    pub const fn isolation(self, isolation: Isolation) -> Self {
        Self { isolation: Some(isolation), ..self }
    }

    /// Sets whether the transaction may only read.
    #[must_use]
    pub const fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }

    /// Sets the number of retries after a conflict with another transaction.
    #[must_use]
    pub const fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    pub(crate) fn access(self) -> Access {
        if self.read_only { Access::ReadOnly } else { Access::ReadWrite }
    }

    /// The statement that begins the transaction.
    pub(crate) fn sql(self) -> String {
        let isolation = match self.isolation {
            None => "",
            Some(Isolation::ReadCommitted) => " ISOLATION LEVEL READ COMMITTED",
            Some(Isolation::RepeatableRead) => " ISOLATION LEVEL REPEATABLE READ",
            Some(Isolation::Serializable) => " ISOLATION LEVEL SERIALIZABLE",
        };
        let access = if self.read_only { " READ ONLY" } else { "" };
        format!("BEGIN{isolation}{access}")
    }
}
