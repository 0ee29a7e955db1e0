//! One open connection, and its transactions.

use std::cell::Cell;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tenancy::TenantId;

use crate::config::Config;
use crate::confine::{Watch, confine};
use crate::error::Error;
use crate::migrations::{apply, newest};

/// No `CREATE`: files are made by [`Folder`](crate::folder::Folder), for who runs the program alone.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_NOFOLLOW);

/// Temporary results stay in memory, where no other tenant's path can be. The log gives back what one large
/// transaction took.
const SETTINGS: &str = "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 4194304";

/// What SQLite can count; rusqlite panics beyond it.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// Statements of one connection that stay prepared.
const PREPARED: usize = 32;

/// What a tenant's file has for its `application_id`, the only place for it that SQL can't reach: 32 bits of its id
/// (FNV-1a), and never 0, which a new file has. Two tenants have the same in one case of 2³¹: it finds out a mistake, and
/// is no signature.
fn mark(tenant: TenantId) -> i32 {
    let hash = tenant
        .as_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash | 1).cast_signed()
}

pub(crate) struct Session {
    sql: Connection,
    watch: Watch,
    query_only: Cell<bool>,
}

impl Session {
    /// Opens a tenant's file, which is there, and brings its tables up to date.
    pub(crate) fn open(tenant: TenantId, path: &Path, config: &Config) -> Result<Self, Error> {
        let sql = Connection::open_with_flags(path, FLAGS).map_err(|error| Error::of(tenant, error))?;
        Self::new(sql, tenant, config, true)
    }

    /// What a tenant sees that has no file: the tables, empty.
    pub(crate) fn empty(tenant: TenantId, config: &Config) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::new(Connection::open_in_memory_with_flags(flags)?, tenant, config, false)
    }

    fn new(sql: Connection, tenant: TenantId, config: &Config, is_file: bool) -> Result<Self, Error> {
        let session = Self { sql, watch: Watch::default(), query_only: Cell::new(false) };
        session.prepare(config).map_err(|error| Error::of(tenant, error))?;
        let version = session.version(tenant, config)?;
        if is_file {
            session.own(tenant)?;
            session.keep_log(tenant)?;
        }
        session.limit(config).map_err(|error| Error::of(tenant, error))?;
        apply(&session, tenant, config.migrations, version)?;
        Ok(session)
    }

    fn prepare(&self, config: &Config) -> rusqlite::Result<()> {
        self.sql.busy_timeout(config.busy_timeout.min(LONGEST))?;
        self.sql.set_prepared_statement_cache_capacity(PREPARED);
        confine(&self.sql, &self.watch)?;
        self.sql.execute_batch(SETTINGS)
    }

    /// The file's version, which comes first: a file of a newer program is not written.
    fn version(&self, tenant: TenantId, config: &Config) -> Result<i32, Error> {
        let found = self.sql.query_row("PRAGMA user_version", (), |row| row.get(0));
        let found = found.map_err(|error| Error::of(tenant, error))?;
        let known = newest(config.migrations);
        if (0..=known).contains(&found) {
            return Ok(found);
        }
        // To close it would write what its log still holds.
        self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Err(Error::UnknownVersion { tenant, found, known })
    }

    /// Finds out a file that was put under another tenant's name; a new one becomes its tenant's.
    fn own(&self, tenant: TenantId) -> Result<(), Error> {
        let ask = |sql| self.sql.query_row(sql, (), |row| row.get::<_, i32>(0));
        let found = ask("PRAGMA application_id").map_err(|error| Error::of(tenant, error))?;
        if found == mark(tenant) {
            return Ok(());
        }
        let tables = ask("SELECT count(*) FROM sqlite_schema").map_err(|error| Error::of(tenant, error))?;
        if found != 0 || tables > 0 {
            // To close it would write what its log still holds.
            self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            return Err(Error::Foreign(tenant));
        }
        self.sql.pragma_update(None, "application_id", mark(tenant)).map_err(|error| Error::of(tenant, error))
    }

    fn keep_log(&self, tenant: TenantId) -> Result<(), Error> {
        let mode = self.sql.query_row("PRAGMA journal_mode = WAL", (), |row| row.get::<_, String>(0));
        match mode.map_err(|error| Error::of(tenant, error))?.as_str() {
            "wal" => Ok(()),
            _ => Err(Error::Config("the folder's file system can't keep a write-ahead log")),
        }
    }

    fn limit(&self, config: &Config) -> rusqlite::Result<()> {
        let Some(bytes) = config.max_bytes else { return Ok(()) };
        let page: u32 = self.sql.query_row("PRAGMA page_size", (), |row| row.get(0))?;
        // SQLite's own limit; and 0 would be none.
        let pages = (bytes.get() / u64::from(page)).clamp(1, 4_294_967_294);
        self.sql.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(()))
    }

    /// For bodies, within [`Transaction::body`].
    pub(crate) fn sql(&self) -> &Connection {
        &self.sql
    }

    /// One state of the file.
    pub(crate) fn begin_read(&self) -> Result<Transaction<'_>, Error> {
        self.begin(true, "BEGIN")
    }

    pub(crate) fn begin_write(&self) -> Result<Transaction<'_>, Error> {
        self.begin(false, "BEGIN IMMEDIATE")
    }

    fn begin(&self, query_only: bool, begin: &str) -> Result<Transaction<'_>, Error> {
        if self.query_only.get() != query_only {
            self.sql.pragma_update(None, "query_only", query_only)?;
            self.query_only.set(query_only);
        }
        self.watch.reset();
        // Not by a prepared statement: a body would find it in the cache, where nobody asks who it is.
        self.sql.execute_batch(begin)?;
        Ok(Transaction { session: self })
    }

    pub(crate) fn set_version(&self, version: i32) -> rusqlite::Result<()> {
        self.sql.pragma_update(None, "user_version", version)
    }

    /// What an error of a body's statement means.
    pub(crate) fn explain(&self, tenant: TenantId, error: rusqlite::Error) -> Error {
        let denied = self.watch.was_denied();
        match Error::of(tenant, error) {
            // SQLite ends a transaction by itself where it can't go on.
            error @ (Error::Full | Error::Corrupt(_)) => error,
            _ if self.watch.has_escaped() => Error::TxEscaped,
            _ if denied => Error::Denied,
            error => error,
        }
    }

    /// Whether another body may have it.
    pub(crate) fn is_idle(&self) -> bool {
        self.sql.is_autocommit()
    }

    /// Copies the file, as it is now, to one that is there and empty.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), Error> {
        let mut target = Connection::open_with_flags(path, FLAGS)?;
        match Backup::new(&self.sql, &mut target)?.step(-1)? {
            StepResult::Done => {}
            _ => return Err(Error::Busy),
        }
        // One file, without a log beside it.
        target.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(()))?;
        Ok(target.close().map_err(|(_, error)| error)?)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A transaction that ends with it: rolled back, where it was not committed.
pub(crate) struct Transaction<'s> {
    session: &'s Session,
}

impl Transaction<'_> {
    /// Runs what may only do what [`confine`] allows.
    pub(crate) fn body<R>(&self, body: impl FnOnce() -> R) -> R {
        self.session.watch.body(body)
    }

    /// An error where the body ended the transaction, or tried to.
    pub(crate) fn intact(&self) -> Result<(), Error> {
        if self.session.watch.has_escaped() || self.session.sql.is_autocommit() {
            return Err(Error::TxEscaped);
        }
        Ok(())
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        self.intact()?;
        Ok(self.session.sql.execute_batch("COMMIT")?)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.session.sql.is_autocommit() {
            // Where it fails, `is_idle` says so, and the connection is closed.
            let _ = self.session.sql.execute_batch("ROLLBACK");
        }
    }
}
