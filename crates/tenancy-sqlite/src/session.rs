//! An open connection to a tenant's file, and its transactions.

use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use tenancy::TenantId;

use crate::config::Config;
use crate::confine::{AccessLog, Budget, confine};
use crate::error::Error;
use crate::migration::newest;

/// Without `CREATE`: only [`Folder`](crate::folder::Folder) creates files, with the right permissions.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_NOFOLLOW);

/// Temporary results stay in memory, so that they have no path. The log shrinks after a large transaction.
const SETTINGS: &str = "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 4194304";

/// The longest timeout that SQLite accepts; rusqlite panics beyond it.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The number of prepared statements that a connection keeps.
const PREPARED: usize = 32;

/// The statements of transactions. They stay prepared in the same cache as the statements of bodies.
const TRANSACTION: [&str; 4] = [BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK];
const BEGIN_READ: &str = "BEGIN DEFERRED";
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Whether a statement of this text may not be taken from the cache for a body.
///
/// The authorizer judges statements when they are prepared, so a body would get a transaction's statement unjudged. The cache
/// compares texts without the space around them.
pub(crate) fn is_of_transactions(sql: &str) -> bool {
    TRANSACTION.contains(&sql.trim())
}

/// The `application_id` of a tenant's file: the only place in it that SQL cannot change.
///
/// It has 32 bits of the tenant's id (FNV-1a), and is never 0, which a new file has. Two tenants have the same value in one
/// case of 2³¹: it detects a mistake, and is not a signature.
fn application_id(tenant: TenantId) -> i32 {
    let hash = tenant
        .as_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash | 1).cast_signed()
}

pub(crate) struct Session {
    sql: Connection,
    log: AccessLog,
    query_only: Cell<bool>,
    statement_timeout: Option<Duration>,
}

impl Session {
    /// Opens a tenant's file, which must exist, and applies the migrations that it lacks.
    pub(crate) fn open(tenant: TenantId, path: &Path, config: &Config) -> Result<Self, Error> {
        let sql = Connection::open_with_flags(path, FLAGS).map_err(|error| Error::of(tenant, error))?;
        Self::new(sql, tenant, config, true)
    }

    /// Opens what a tenant without a file sees: the tables, empty, in memory.
    pub(crate) fn empty(tenant: TenantId, config: &Config) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::new(Connection::open_in_memory_with_flags(flags)?, tenant, config, false)
    }

    fn new(sql: Connection, tenant: TenantId, config: &Config, is_file: bool) -> Result<Self, Error> {
        let session = Self {
            sql,
            log: AccessLog::new(),
            query_only: Cell::new(false),
            statement_timeout: config.statement_timeout,
        };
        session.prepare(config).map_err(|error| Error::of(tenant, error))?;
        let version = session.version(tenant, config)?;
        if is_file {
            session.own(tenant)?;
            session.keep_log(tenant)?;
        }
        session.limit(config).map_err(|error| Error::of(tenant, error))?;
        session.migrate(tenant, config, version)?;
        Ok(session)
    }

    fn prepare(&self, config: &Config) -> rusqlite::Result<()> {
        self.sql.busy_timeout(config.busy_timeout.min(LONGEST))?;
        self.sql.set_prepared_statement_cache_capacity(PREPARED + TRANSACTION.len());
        confine(&self.sql, &self.log)?;
        self.sql.execute_batch(SETTINGS)
    }

    /// Checks the file's version before anything else: the file of a newer program is not written.
    fn version(&self, tenant: TenantId, config: &Config) -> Result<i32, Error> {
        let found = self.sql.query_row("PRAGMA user_version", (), |row| row.get(0));
        let found = found.map_err(|error| Error::of(tenant, error))?;
        let known = newest(config.migrations);
        if (0..=known).contains(&found) {
            return Ok(found);
        }
        // Otherwise closing the file would write the contents of its log.
        self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Err(Error::UnknownVersion { tenant, found, known })
    }

    /// Rejects a file that was put at the path of another tenant's file. A new file becomes its tenant's.
    fn own(&self, tenant: TenantId) -> Result<(), Error> {
        let ask = |sql| self.sql.query_row(sql, (), |row| row.get::<_, i32>(0));
        let found = ask("PRAGMA application_id").map_err(|error| Error::of(tenant, error))?;
        if found == application_id(tenant) {
            return Ok(());
        }
        let tables = ask("SELECT count(*) FROM sqlite_schema").map_err(|error| Error::of(tenant, error))?;
        if found != 0 || tables > 0 {
            // Otherwise closing the file would write the contents of its log.
            self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            return Err(Error::Foreign(tenant));
        }
        self.sql
            .pragma_update(None, "application_id", application_id(tenant))
            .map_err(|error| Error::of(tenant, error))
    }

    fn keep_log(&self, tenant: TenantId) -> Result<(), Error> {
        let mode = self.sql.query_row("PRAGMA journal_mode = WAL", (), |row| row.get::<_, String>(0));
        match mode.map_err(|error| Error::of(tenant, error))?.as_str() {
            "wal" => Ok(()),
            _ => Err(Error::Config("the folder's file system does not support write-ahead logs")),
        }
    }

    fn limit(&self, config: &Config) -> rusqlite::Result<()> {
        let set = |pragma: &str| self.sql.query_row(pragma, (), |_| Ok(()));
        self.sql.execute_batch(&format!("PRAGMA cache_size = -{}", config.max_cache.get().div_ceil(1024)))?;
        let length = i32::try_from(config.max_value.get()).unwrap_or(i32::MAX);
        self.sql.set_limit(Limit::SQLITE_LIMIT_LENGTH, length)?;
        if let Some(bytes) = config.max_memory {
            set(&format!("PRAGMA hard_heap_limit = {}", bytes.get().min(i64::MAX as u64)))?;
        }
        let Some(bytes) = config.max_bytes else { return Ok(()) };
        let page: u32 = self.sql.query_row("PRAGMA page_size", (), |row| row.get(0))?;
        // The upper bound is SQLite's own; 0 would mean no limit.
        let pages = (bytes.get() / u64::from(page)).clamp(1, 4_294_967_294);
        set(&format!("PRAGMA max_page_count = {pages}"))
    }

    /// Applies the migrations after a version, all or none.
    fn migrate(&self, tenant: TenantId, config: &Config, version: i32) -> Result<(), Error> {
        let migrations = config.migrations;
        if version == newest(migrations) {
            return Ok(());
        }
        let transaction = self.begin_write()?;
        for migration in migrations.iter().filter(|migration| migration.version > version) {
            // Without a limit of time: a migration can rewrite a large table.
            let applied = self.log.body(Budget::default(), || self.sql.execute_batch(migration.sql));
            let applied = applied.map_err(|error| self.explain(tenant, error));
            applied.and_then(|()| transaction.intact()).map_err(|error| migration.failed(error))?;
        }
        self.sql.pragma_update(None, "user_version", newest(migrations))?;
        transaction.commit()
    }

    /// Returns the connection, for use in [`Transaction::body`] only.
    pub(crate) fn sql(&self) -> &Connection {
        &self.sql
    }

    /// Starts the time of a body's statement.
    pub(crate) fn begin_statement(&self) {
        self.log.begin_statement();
    }

    /// Begins a transaction that sees one state of the file.
    pub(crate) fn begin_read(&self) -> Result<Transaction<'_>, Error> {
        self.begin(true, BEGIN_READ)
    }

    pub(crate) fn begin_write(&self) -> Result<Transaction<'_>, Error> {
        self.begin(false, BEGIN_WRITE)
    }

    fn begin(&self, query_only: bool, begin: &'static str) -> Result<Transaction<'_>, Error> {
        if self.query_only.get() != query_only {
            // SQLite prepares all statements of the connection again after this.
            self.sql.pragma_update(None, "query_only", query_only)?;
            self.query_only.set(query_only);
        }
        self.log.reset();
        self.run(begin)?;
        Ok(Transaction { session: self })
    }

    fn run(&self, statement: &'static str) -> rusqlite::Result<()> {
        self.sql.prepare_cached(statement)?.raw_execute().map(drop)
    }

    /// Converts an error of a body's statement.
    pub(crate) fn explain(&self, tenant: TenantId, error: rusqlite::Error) -> Error {
        let denied = self.log.was_denied();
        match Error::of(tenant, error) {
            // After these errors, SQLite itself can end a transaction.
            error @ (Error::Full | Error::Corrupt(_) | Error::TimeLimit | Error::MemoryLimit) => error,
            _ if self.log.has_escaped() => Error::TxEscaped,
            _ if denied => Error::Denied,
            error => error,
        }
    }

    /// Whether the connection last served a read.
    pub(crate) fn is_for_reads(&self) -> bool {
        self.query_only.get()
    }

    /// Whether another body may use the connection.
    pub(crate) fn is_idle(&self) -> bool {
        self.sql.is_autocommit()
    }

    /// Copies the current state of the file to an empty file.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), Error> {
        let mut target = Connection::open_with_flags(path, FLAGS)?;
        match Backup::new(&self.sql, &mut target)?.step(-1)? {
            StepResult::Done => {}
            _ => return Err(Error::Busy),
        }
        // The copy is one file, without a log beside it.
        target.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
        Ok(target.close().map_err(|(_, error)| error)?)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A transaction. It is rolled back on drop unless it was committed.
pub(crate) struct Transaction<'s> {
    session: &'s Session,
}

impl Transaction<'_> {
    /// Runs a body, whose SQL is confined.
    pub(crate) fn body<R>(&self, body: impl FnOnce() -> R) -> R {
        self.body_within(None, body)
    }

    /// Runs a body that is interrupted after a number of ticks; see [`is_exhausted`](Self::is_exhausted).
    pub(crate) fn body_within<R>(&self, ticks: Option<u32>, body: impl FnOnce() -> R) -> R {
        let budget = Budget { statement: self.session.statement_timeout, ticks };
        self.session.log.body(budget, body)
    }

    /// Whether the body was interrupted because it used up its ticks.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_exhausted(&self) -> bool {
        self.session.log.is_exhausted()
    }

    /// Returns an error if the body ended the transaction, or tried to.
    pub(crate) fn intact(&self) -> Result<(), Error> {
        if self.session.log.has_escaped() || self.session.sql.is_autocommit() {
            return Err(Error::TxEscaped);
        }
        Ok(())
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        self.intact()?;
        Ok(self.session.run(COMMIT)?)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.session.sql.is_autocommit() {
            // If it fails, `is_idle` returns false, and the connection is closed.
            let _ = self.session.run(ROLLBACK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_statements_of_transactions_with_space_around_them() {
        for statement in TRANSACTION {
            assert!(is_of_transactions(statement));
            assert!(is_of_transactions(&format!(" \n{statement}\t")));
        }
        assert!(!is_of_transactions("SELECT 1"));
    }
}
