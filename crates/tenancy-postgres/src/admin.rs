//! The operator's side: all tenants, with a reason, and logged.

mod access;

use std::fmt;
use std::time::{Duration, SystemTime};

use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Socket, Transaction};

pub use self::access::{AdminAccess, InvalidReasonError};
use crate::audit::{Finding, audit, audit_role};
use crate::error::Error;
use crate::id::PgTenantId;
use crate::migrations::{
    EnableTable, Finished, Progress, add_key, applied, finish, keys, migrate_to, revert,
};
use crate::params::Param;
use crate::sign::SigningKey;
use crate::tenants::{self, DirectoryError, record};

/// Whether the log is there: what comes before its migration is not in it.
const IS_THERE: &str = "SELECT pg_catalog.to_regclass('tenancy.admin_log') IS NOT NULL";

/// Whether this user may write the log on this server.
const MAY_WRITE: &str = "SELECT NOT pg_catalog.pg_is_in_recovery() AND EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE n.nspname OPERATOR(pg_catalog.=) 'tenancy' AND c.relname OPERATOR(pg_catalog.=) 'admin_log'
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'INSERT'))";

const WRITE: &str = "INSERT INTO tenancy.admin_log (reason, action, object) VALUES ($1, $2, $3)";

/// A database as its operator has it: across all tenants, for a reason, and logged.
///
/// It is no [`TenantDb`](crate::TenantDb) and can't become one. Its login is a superuser or a member of
/// `tenancy_owner`, and no service has that login.
///
/// Each call is logged twice. A `tracing` event comes before it (target `tenancy_postgres::admin`, level `INFO`, with
/// `reason`, `action` and `object`). A row of `tenancy.admin_log` is written in the transaction of what it tells of, so
/// that none is done without the other; for what takes several transactions it is written before, and for
/// [`migrate`](Self::migrate), which makes that table, afterwards. [`audit`](Self::audit) also serves who may not write
/// the log. An operator who means harm can delete rows: keep the events elsewhere. Neither has keys or parameters.
///
/// It prepares statements, so it connects to the server itself or to a session pooler. A call that is dropped on the
/// way is rolled back.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tenancy::{TenantRecord, TenantSlug, TenantStatus, tenant_id};
/// use tenancy_postgres::{AdminAccess, AdminDb};
///
/// let access = AdminAccess::new("ticket 1234: acme moves in")?;
/// let mut admin = AdminDb::connect("postgres://operator@localhost/notes".parse()?, access).await?;
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// admin.create_tenant(&TenantRecord::new(acme, TenantSlug::parse("acme")?, TenantStatus::Active)).await?;
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

/// A key as the database knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its id.
    pub id: i32,
    /// When its signatures end, by the server's clock. None: it is not retired.
    pub not_after: Option<SystemTime>,
}

impl AdminDb {
    /// Connects without TLS.
    ///
    /// Where the configuration has no `application_name` it gets `tenancy-admin`.
    ///
    /// # Errors
    ///
    /// [`Error::Postgres`] where the server refused, or can't be reached.
    pub async fn connect(postgres: tokio_postgres::Config, access: AdminAccess) -> Result<Self, Error> {
        Self::connect_tls(postgres, access, NoTls).await
    }

    /// Connects with a TLS connector of `tokio-postgres`.
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
            // Its errors are those of the calls that wait for it.
            let _ = connection.await;
        });
        Ok(Self { client, access })
    }

    /// Why it connected.
    pub fn access(&self) -> &AdminAccess {
        &self.access
    }

    /// Brings the schema `tenancy` up to date, as [`migrate`](crate::migrate()), and gives the versions that it applied.
    ///
    /// # Errors
    ///
    /// The server's. What was applied before stays.
    pub async fn migrate(&mut self) -> Result<Vec<i32>, Error> {
        self.migrate_to(i32::MAX).await
    }

    /// The same, up to a version.
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

    /// Takes back the newest versions, as [`revert`](crate::revert). The log goes with version 4.
    ///
    /// # Errors
    ///
    /// The server's. What was taken back before stays so.
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

    /// The versions of the schema `tenancy` that are applied; none where there is no such schema.
    ///
    /// # Errors
    ///
    /// The server's.
    pub async fn applied_migrations(&mut self) -> Result<Vec<i32>, Error> {
        let transaction = self.begin("applied_migrations", "").await?;
        let versions = applied(&transaction).await?;
        commit(transaction).await?;
        Ok(versions)
    }

    /// Gives the database a key, as [`add_key`](crate::add_key).
    ///
    /// # Errors
    ///
    /// The server's: `23505` where the id is another key's.
    pub async fn add_key(&mut self, key: &SigningKey) -> Result<(), Error> {
        let transaction = self.begin("add_key", &key.id().to_string()).await?;
        add_key(&transaction, key).await?;
        commit(transaction).await
    }

    /// Refuses the signatures of a key after a time, or from now on. It can be retired earlier again, never later.
    ///
    /// # Errors
    ///
    /// The server's: `P0002` where there is no such key.
    pub async fn retire_key(&mut self, id: i32, not_after: Option<SystemTime>) -> Result<(), Error> {
        let transaction = self.begin("retire_key", &id.to_string()).await?;
        let sql = "SELECT tenancy.retire_key($1, COALESCE($2, pg_catalog.clock_timestamp()))";
        transaction.execute(sql, &[&id, &not_after]).await?;
        commit(transaction).await
    }

    /// Adds a key, and retires another after a grace, by the server's clock: both or neither.
    ///
    /// # Errors
    ///
    /// - The server's, as of [`add_key`](Self::add_key) and [`retire_key`](Self::retire_key).
    /// - [`Error::Config`] where it would retire the key that it adds.
    pub async fn rotate_key(&mut self, old: i32, new: &SigningKey, grace: Duration) -> Result<(), Error> {
        if old == new.id() {
            return Err(Error::Config("a key does not replace itself: a new secret has a new id"));
        }
        let transaction = self.begin("rotate_key", &format!("{old} {}", new.id())).await?;
        add_key(&transaction, new).await?;
        let retire = "SELECT tenancy.retire_key(\
            $1, pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $2))";
        transaction.execute(retire, &[&old, &grace.as_secs_f64()]).await?;
        commit(transaction).await
    }

    /// The keys that the database knows, by their ids, without what they are made of.
    ///
    /// # Errors
    ///
    /// The server's.
    pub async fn keys(&mut self) -> Result<Vec<KeyInfo>, Error> {
        let transaction = self.begin("keys", "").await?;
        let keys = keys(&transaction).await?;
        commit(transaction).await?;
        Ok(keys.into_iter().map(|(id, not_after)| KeyInfo { id, not_after }).collect())
    }

    /// Makes a table its tenants' own, as [`EnableTable::run_with`], and gives the count of rows that got their tenant.
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

    /// Lets all tenants read a table without `tenant_id`, and none write it. The name is one as SQL has it.
    ///
    /// # Errors
    ///
    /// The server's: `42809` where the table has `tenant_id`, `42P01` where it is not there.
    pub async fn share_table(&mut self, name: &str) -> Result<(), Error> {
        let transaction = self.begin("share_table", name).await?;
        transaction.execute("SELECT tenancy.share_table($1::text::regclass)", &[&name]).await?;
        commit(transaction).await
    }

    /// Lists what would let a role pass by its tenant, or this login, as [`audit_role`](crate::audit_role) and
    /// [`audit`](crate::audit()).
    ///
    /// # Errors
    ///
    /// The server's: `42704` where there is no such role.
    pub async fn audit(&mut self, role: Option<&str>) -> Result<Vec<Finding>, Error> {
        let object = role.unwrap_or_default();
        self.event("audit", object);
        commit(self.write_down(MAY_WRITE, "audit", object).await?).await?;
        Ok(match role {
            Some(role) => audit_role(&mut self.client, role).await?,
            None => audit(&mut self.client).await?,
        })
    }

    /// Adds a tenant, as [`create_tenant`](crate::create_tenant).
    ///
    /// # Errors
    ///
    /// [`DirectoryError::IdTaken`], [`DirectoryError::SlugTaken`] and [`DirectoryError::Database`].
    pub async fn create_tenant(&mut self, tenant: &TenantRecord) -> Result<(), DirectoryError> {
        let (id, slug) = (tenant.id(), tenant.slug());
        let transaction = self.begin("create_tenant", &format!("{id} {slug}")).await?;
        tenants::create_tenant(&transaction, tenant).await?;
        Ok(commit(transaction).await?)
    }

    /// Changes the state of a tenant, as [`set_tenant_status`](crate::set_tenant_status).
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NotFound`], [`DirectoryError::Deleted`] and [`DirectoryError::Database`].
    pub async fn set_tenant_status(
        &mut self,
        tenant: TenantId,
        status: TenantStatus,
    ) -> Result<(), DirectoryError> {
        let transaction = self.begin("set_tenant_status", &format!("{tenant} {}", status.as_str())).await?;
        tenants::set_tenant_status(&transaction, tenant, status).await?;
        Ok(commit(transaction).await?)
    }

    /// The record of a tenant, in whatever state; `None` for an unknown id.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Database`], and [`DirectoryError::Row`] where the record can't be read.
    pub async fn tenant(&mut self, id: TenantId) -> Result<Option<TenantRecord>, DirectoryError> {
        let records = self.records("tenant", &id.to_string(), tenants::BY_ID, &[&PgTenantId(id)]).await?;
        Ok(records.into_iter().next())
    }

    /// The record of the tenant that has this slug, in whatever state.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant).
    pub async fn tenant_by_slug(&mut self, slug: TenantSlug) -> Result<Option<TenantRecord>, DirectoryError> {
        let slug = slug.as_str();
        let records = self.records("tenant_by_slug", slug, tenants::BY_SLUG, &[&slug]).await?;
        Ok(records.into_iter().next())
    }

    /// A page of all tenants, as [`tenants`](crate::tenants()): the first `limit` of those that come after one.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant).
    pub async fn tenants(
        &mut self,
        after: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantRecord>, DirectoryError> {
        let object = after.map(|tenant| format!("after {tenant}")).unwrap_or_default();
        let params: [Param<'_>; 2] = [&after.map(PgTenantId), &i64::from(limit)];
        self.records("tenants", &object, tenants::PAGE, &params).await
    }

    /// The rows of one statement, **whosever they are**: nothing keeps the tenants apart here.
    ///
    /// Row-level security is forced on the owners of tables too, so this is for a login that bypasses it. The text of
    /// the statement is logged, its parameters are not: values belong there. It runs in a transaction.
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
    /// [`Error::Postgres`] where the server refused; [`Error::CommitUnknown`] where the answer to the commit was lost.
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let transaction = self.begin("query", sql).await?;
        let rows = transaction.query(sql, params).await?;
        commit(transaction).await?;
        Ok(rows)
    }

    /// Runs one statement **across all tenants**, and says how many rows it touched; as [`query`](Self::query).
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

    async fn records(
        &mut self,
        action: &str,
        object: &str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<TenantRecord>, DirectoryError> {
        let transaction = self.begin(action, object).await?;
        let rows = transaction.query(sql, params).await?;
        commit(transaction).await?;
        rows.iter().map(record).collect()
    }

    /// A line of its own, for what runs in transactions of its own.
    async fn note(&mut self, action: &str, object: &str) -> Result<(), Error> {
        commit(self.begin(action, object).await?).await
    }

    /// A transaction that has its line in the log.
    async fn begin(&mut self, action: &str, object: &str) -> Result<Transaction<'_>, Error> {
        self.event(action, object);
        self.write_down(IS_THERE, action, object).await
    }

    fn event(&self, action: &str, object: &str) {
        let reason = self.access.reason();
        tracing::info!(target: "tenancy_postgres::admin", reason, action, object, "access to all tenants");
    }

    /// A transaction that has its line in the log, where a statement says that it can be written.
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

/// Nobody knows what became of it where the answer is lost.
async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    transaction.commit().await.map_err(|error| match error.as_db_error() {
        Some(_) => Error::Postgres(error),
        None => Error::CommitUnknown(error),
    })
}

impl fmt::Debug for AdminDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminDb").field("access", &self.access).finish_non_exhaustive()
    }
}
