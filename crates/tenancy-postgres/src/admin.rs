//! The operator's access to the data of all tenants. Each call has a reason and is logged.

mod access;
mod harden;
mod tenants;

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Socket, Transaction};

pub use self::access::{AdminAccess, InvalidReasonError};
use crate::audit::{AuditPolicy, Finding};
use crate::error::Error;
use crate::migrations::{
    EnableTable, Finished, Progress, add_key, applied, finish, keys, migrate_to, revert,
};
use crate::sign::SigningKey;
use crate::tenants::TenantsTable;

/// Whether the log exists. Actions before its migration are not in it.
const IS_THERE: &str = "SELECT pg_catalog.to_regclass('tenancy.admin_log') IS NOT NULL";

/// Whether this user may write to the log on this server.
const MAY_WRITE: &str = "SELECT NOT pg_catalog.pg_is_in_recovery() AND EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE n.nspname OPERATOR(pg_catalog.=) 'tenancy' AND c.relname OPERATOR(pg_catalog.=) 'admin_log'
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'INSERT'))";

const WRITE: &str = "INSERT INTO tenancy.admin_log (reason, action, object) VALUES ($1, $2, $3)";

/// An operator's access to a database, across all tenants. Each call has a reason and is logged.
///
/// It is separate from [`TenantDb`](crate::TenantDb) and cannot be converted to it. Its login is a superuser or a
/// member of `tenancy_owner`. Do not give this login to a service.
///
/// Each call is logged twice. First, a `tracing` event is emitted (target `tenancy_postgres::admin`, level `INFO`,
/// fields `reason`, `action` and `object`). Then a row of `tenancy.admin_log` is written, in the same transaction as
/// the action. If an action takes several transactions, the row is committed before it. The row of
/// [`migrate`](Self::migrate), which creates the table, is written afterwards. [`audit`](Self::audit) also works for a
/// login that may not write to the log. Neither log contains keys or parameters. A malicious operator can delete rows
/// of the table, so store the events on another machine.
///
/// It prepares statements, so connect it to the server itself or to a session pooler. A call that is dropped before it
/// is complete is rolled back.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tenancy::{TenantRecord, TenantSlug, TenantStatus, tenant_id};
/// use tenancy_postgres::{AdminAccess, AdminDb};
///
/// let access = AdminAccess::new("ticket 1234: create tenant acme")?;
/// let mut admin = AdminDb::connect("postgres://operator@localhost/notes".parse()?, access).await?;
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// admin.tenants().create(&TenantRecord::new(acme, TenantSlug::parse("acme")?, TenantStatus::Active)).await?;
/// for finding in admin.audit(Some("notes_service")).await? {
///     eprintln!("{finding}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct AdminDb {
    client: Client,
    access: AdminAccess,
}

/// The id and the expiry time of a key in the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's id.
    pub id: i32,
    /// The time by the server's clock from which its signatures are rejected. `None` if the key is not retired.
    pub not_after: Option<SystemTime>,
}

impl AdminDb {
    /// Connects without TLS.
    ///
    /// If the configuration has no `application_name`, it is set to `tenancy-admin`.
    ///
    /// # Errors
    ///
    /// [`Error::Postgres`] if the server rejects the connection, [`Error::Connection`] if it cannot be reached.
    pub async fn connect(postgres: tokio_postgres::Config, access: AdminAccess) -> Result<Self, Error> {
        Self::connect_tls(postgres, access, NoTls).await
    }

    /// Connects with a TLS connector for `tokio-postgres`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_tls<T>(
        mut postgres: tokio_postgres::Config,
        access: AdminAccess,
        tls: T,
    ) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket> + Send,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        if postgres.get_application_name().is_none() {
            postgres.application_name("tenancy-admin");
        }
        let (client, connection) = postgres.connect(tls).await?;
        tokio::spawn(async move {
            // The calls that wait for the connection return its errors.
            let _ = connection.await;
        });
        Ok(Self { client, access })
    }

    /// Returns the access with its reason.
    pub fn access(&self) -> &AdminAccess {
        &self.access
    }

    /// Applies the pending versions of the schema `tenancy`, as [`migrate`](crate::migrate()), and returns them.
    ///
    /// # Errors
    ///
    /// Returns the server's error. Versions that were applied before it remain applied.
    pub async fn migrate(&mut self) -> Result<Vec<i32>, Error> {
        self.migrate_to(i32::MAX).await
    }

    /// Applies the pending versions up to `version`, and returns them.
    ///
    /// # Errors
    ///
    /// As [`migrate`](Self::migrate).
    pub async fn migrate_to(&mut self, version: i32) -> Result<Vec<i32>, Error> {
        self.event("migrate", "");
        let applied = migrate_to(&mut self.client, version).await?;
        let versions: Vec<_> = applied.iter().map(ToString::to_string).collect();
        commit(self.write_down(IS_THERE, "migrate", &versions.join(" ")).await?).await?;
        Ok(applied)
    }

    /// Reverts all versions after `to`, as [`revert`](crate::revert), and returns them.
    ///
    /// Reverting version 4 removes the log.
    ///
    /// # Errors
    ///
    /// Returns the server's error. Versions that were reverted before it remain reverted.
    pub async fn revert(&mut self, to: i32) -> Result<Vec<i32>, Error> {
        self.note("revert", &to.to_string()).await?;
        Ok(revert(&mut self.client, to).await?)
    }

    /// Removes what the newest version keeps for clients of earlier versions, as [`finish`](crate::finish()).
    ///
    /// # Errors
    ///
    /// As [`finish`](crate::finish()).
    pub async fn finish(&mut self) -> Result<Finished, Error> {
        self.note("finish", "").await?;
        Ok(finish(&mut self.client).await?)
    }

    /// Returns the applied versions of the schema `tenancy`. The list is empty if the schema does not exist.
    ///
    /// # Errors
    ///
    /// Returns the server's error.
    pub async fn applied_migrations(&mut self) -> Result<Vec<i32>, Error> {
        let transaction = self.begin("applied_migrations", "").await?;
        let versions = applied(&transaction).await?;
        commit(transaction).await?;
        Ok(versions)
    }

    /// Adds a key to the database, as [`add_key`](crate::add_key).
    ///
    /// # Errors
    ///
    /// Returns the server's error: `23505` if another key has the same id.
    pub async fn add_key(&mut self, key: &SigningKey) -> Result<(), Error> {
        let transaction = self.begin("add_key", &key.id().to_string()).await?;
        add_key(&transaction, key).await?;
        commit(transaction).await
    }

    /// Retires a key at a time, or now. Later signatures of the key are rejected.
    ///
    /// The time of a retired key can be moved to an earlier one, but not to a later one.
    ///
    /// # Errors
    ///
    /// Returns the server's error: `P0002` if the key does not exist.
    pub async fn retire_key(&mut self, id: i32, not_after: Option<SystemTime>) -> Result<(), Error> {
        let transaction = self.begin("retire_key", &id.to_string()).await?;
        let sql = "SELECT tenancy.retire_key($1, COALESCE($2, pg_catalog.clock_timestamp()))";
        transaction.execute(sql, &[&id, &not_after]).await?;
        commit(transaction).await
    }

    /// Adds the key `new`, and retires the key `old` after `grace`, in one transaction.
    ///
    /// The server's clock decides when the grace period ends.
    ///
    /// # Errors
    ///
    /// - Those of [`add_key`](Self::add_key) and [`retire_key`](Self::retire_key).
    /// - [`Error::Config`] if both keys have the same id.
    pub async fn rotate_key(&mut self, old: i32, new: &SigningKey, grace: Duration) -> Result<(), Error> {
        if old == new.id() {
            return Err(Error::Config("the new key has the id of the old one"));
        }
        let transaction = self.begin("rotate_key", &format!("{old} {}", new.id())).await?;
        add_key(&transaction, new).await?;
        let retire = "SELECT tenancy.retire_key(\
            $1, pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2))";
        transaction.execute(retire, &[&old, &grace.as_secs_f64()]).await?;
        commit(transaction).await
    }

    /// Returns the keys of the database in the order of their ids, without their secrets.
    ///
    /// # Errors
    ///
    /// Returns the server's error.
    pub async fn keys(&mut self) -> Result<Vec<KeyInfo>, Error> {
        let transaction = self.begin("keys", "").await?;
        let keys = keys(&transaction).await?;
        commit(transaction).await?;
        Ok(keys.into_iter().map(|(id, not_after)| KeyInfo { id, not_after }).collect())
    }

    /// Enables tenant isolation for a table, as [`EnableTable::run_with`]. Returns the number of backfilled rows.
    ///
    /// # Errors
    ///
    /// As [`EnableTable::run`].
    pub async fn enable_table(
        &mut self,
        table: EnableTable<'_>,
        progress: impl FnMut(Progress),
    ) -> Result<u64, Error> {
        self.note("enable_table", table.name()).await?;
        Ok(table.run_with(&self.client, progress).await?)
    }

    /// Grants all tenants read access to a table without `tenant_id`, and revokes write access.
    ///
    /// `name` is the table's name in SQL syntax, for example `public.countries`.
    ///
    /// # Errors
    ///
    /// Returns the server's error: `42809` if the table has a column `tenant_id`, `42P01` if it does not exist.
    pub async fn share_table(&mut self, name: &str) -> Result<(), Error> {
        let transaction = self.begin("share_table", name).await?;
        transaction.execute("SELECT tenancy.share_table($1::text::regclass)", &[&name]).await?;
        commit(transaction).await
    }

    /// Lists the findings for a role, or for this login, as [`audit_role`](crate::audit_role) and
    /// [`audit`](crate::audit()).
    ///
    /// # Errors
    ///
    /// Returns the server's error: `42704` if the role does not exist.
    pub async fn audit(&mut self, role: Option<&str>) -> Result<Vec<Finding>, Error> {
        self.audit_with(role, &AuditPolicy::new()).await
    }

    /// Returns the table of tenants. Each call on it is logged.
    pub fn tenants(&mut self) -> TenantsTable<&mut Self> {
        TenantsTable::of(self)
    }

    /// Returns the rows of one statement, **of all tenants**: nothing isolates the tenants here.
    ///
    /// Policies also apply to the owner of an enabled table, so this needs a login that bypasses row-level security.
    /// The text of the statement is logged. Its parameters are not logged, so pass values as parameters. The statement
    /// runs in a transaction.
    ///
    /// ```no_run
    /// # async fn example(admin: &mut tenancy_postgres::AdminDb) -> Result<(), tenancy_postgres::Error> {
    /// let rows = admin.query("SELECT tenant_id, count(*) FROM notes GROUP BY 1", &[]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Postgres`] if the server rejects the statement, and [`Error::CommitUnknown`] if the reply to the commit
    /// was lost.
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let transaction = self.begin("query", sql).await?;
        let rows = transaction.query(sql, params).await?;
        commit(transaction).await?;
        Ok(rows)
    }

    /// Runs one statement **across all tenants**, as [`query`](Self::query), and returns the number of affected rows.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let transaction = self.begin("execute", sql).await?;
        let touched = transaction.execute(sql, params).await?;
        commit(transaction).await?;
        Ok(touched)
    }

    /// Writes and commits a row of the log, before an action that begins transactions itself.
    async fn note(&mut self, action: &str, object: &str) -> Result<(), Error> {
        commit(self.begin(action, object).await?).await
    }

    /// Begins a transaction that contains its row of the log.
    async fn begin(&mut self, action: &str, object: &str) -> Result<Transaction<'_>, Error> {
        self.event(action, object);
        self.write_down(IS_THERE, action, object).await
    }

    fn event(&self, action: &str, object: &str) {
        let reason = self.access.reason();
        tracing::info!(target: "tenancy_postgres::admin", reason, action, object, "access to all tenants");
    }

    /// Begins a transaction, and writes the row of the log if the statement `can_write` returns true.
    async fn write_down(
        &mut self,
        can_write: &str,
        action: &str,
        object: &str,
    ) -> Result<Transaction<'_>, Error> {
        let transaction = self.client.build_transaction().read_only(false).start().await?;
        if transaction.query_one(can_write, &[]).await?.get(0) {
            transaction.execute(WRITE, &[&self.access.reason(), &action, &object]).await?;
        }
        Ok(transaction)
    }
}

/// Commits. If the reply is lost, the outcome is unknown.
async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    transaction.commit().await.map_err(|error| match error.as_db_error() {
        Some(error) => Error::Postgres(error.into()),
        None => Error::CommitUnknown(error.into()),
    })
}

impl fmt::Debug for AdminDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminDb").field("access", &self.access).finish_non_exhaustive()
    }
}
