//! The folder of the files, and the limits of their use.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::descriptors::default_max_open;
use crate::error::Error;
use crate::migration::{Migration, check};

const MAX_READERS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
const MAX_CACHE: NonZeroU32 = NonZeroU32::new(1 << 20).unwrap();
const MAX_VALUE: NonZeroU32 = NonZeroU32::new(16 << 20).unwrap();
const MAX_MEMORY: NonZeroU64 = NonZeroU64::new(512 << 20).unwrap();

/// The folder of the files, their migrations, and the limits of their use.
///
/// ```
/// use std::num::{NonZeroU64, NonZeroUsize};
/// use std::time::Duration;
/// use tenancy_sqlite::{Config, Migration};
///
/// const MIGRATIONS: &[Migration] = &[
///     Migration { version: 1, name: "notes", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT) STRICT" },
/// ];
///
/// let config = Config::new("/var/lib/notes/tenants")
///     .migrations(MIGRATIONS)
///     .max_open(NonZeroUsize::new(256).unwrap())
///     .max_bytes(NonZeroU64::new(1 << 30).unwrap())
///     .statement_timeout(Duration::from_secs(1))
///     .busy_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) folder: PathBuf,
    pub(crate) migrations: &'static [Migration],
    pub(crate) max_open: NonZeroUsize,
    pub(crate) max_readers: NonZeroUsize,
    pub(crate) max_bytes: Option<NonZeroU64>,
    pub(crate) max_cache: NonZeroU32,
    pub(crate) max_value: NonZeroU32,
    pub(crate) max_memory: Option<NonZeroU64>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) busy_timeout: Duration,
}

impl Config {
    /// Files in a folder of their own. The folder is created if it does not exist.
    ///
    /// By default there are no migrations, and the size of a file has no limit. Each setting below names its default.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            migrations: &[],
            max_open: NonZeroUsize::new(default_max_open()).unwrap_or(NonZeroUsize::MIN),
            max_readers: MAX_READERS,
            max_bytes: None,
            max_cache: MAX_CACHE,
            max_value: MAX_VALUE,
            max_memory: Some(MAX_MEMORY),
            statement_timeout: Some(Duration::from_secs(10)),
            busy_timeout: Duration::from_secs(5),
        }
    }

    /// Sets the migrations that create each file's tables, in ascending order of their versions.
    #[must_use]
    pub fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// Sets the maximum number of open connections, over all tenants.
    ///
    /// Each has up to three file descriptors. A tenant has one connection for writes, and up to
    /// [`max_readers`](Self::max_readers) for reads; they are opened when they are needed. If the maximum is reached, the
    /// connections of the least recently used tenant are closed.
    ///
    /// The default is a quarter of the process's limit of open files (`RLIMIT_NOFILE`) when the configuration is created,
    /// at least 16 and at most 1,024. A usual limit of 1,024 files makes 256 connections.
    #[must_use]
    pub fn max_open(mut self, connections: NonZeroUsize) -> Self {
        self.max_open = connections;
        self
    }

    /// Sets the maximum number of reads of one tenant that run at the same time. The default is 4.
    #[must_use]
    pub fn max_readers(mut self, readers: NonZeroUsize) -> Self {
        self.max_readers = readers;
        self
    }

    /// Sets the maximum size of a tenant's file, rounded down to pages of 4 KiB. A file that is larger already keeps its
    /// size.
    ///
    /// The write-ahead log is not included. It can have the size of the largest transaction, plus 8 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets the maximum size of a connection's page cache, in bytes. The default is 1 MiB.
    #[must_use]
    pub fn max_cache(mut self, bytes: NonZeroU32) -> Self {
        self.max_cache = bytes;
        self
    }

    /// Sets the maximum size of a text, a blob or a row, in bytes. The default is 16 MiB.
    ///
    /// A statement that exceeds it fails with [`Error::MemoryLimit`].
    #[must_use]
    pub fn max_value(mut self, bytes: NonZeroU32) -> Self {
        self.max_value = bytes;
        self
    }

    /// Sets the maximum amount of memory that SQLite uses in this process, or removes it. The default is 512 MiB.
    ///
    /// The caches of all connections and the temporary results of all statements count. SQLite has no such limit for
    /// one connection, and it counts what other parts of the program do with SQLite too. A statement that needs more fails
    /// with [`Error::MemoryLimit`]. The limit is set when the first file is opened, and can't be raised until the process
    /// ends: if several [`TenantFiles`](crate::TenantFiles) set it, the lowest one applies.
    #[must_use]
    pub fn max_memory(mut self, bytes: impl Into<Option<NonZeroU64>>) -> Self {
        self.max_memory = bytes.into();
        self
    }

    /// Sets the maximum duration of a statement, or removes it. The default is 10 seconds.
    ///
    /// The time begins when a statement is prepared or taken from the cache, and a statement that exceeds it fails with
    /// [`Error::TimeLimit`]. Statements of [`execute_batch`](crate::TenantTx::execute_batch) share one time. Migrations
    /// have no limit.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.statement_timeout = timeout.into();
        self
    }

    /// Sets how long a call waits for a connection. The default is 5 seconds.
    ///
    /// A call waits for its tenant's connections, and for room among those of [`max_open`](Self::max_open).
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        check(self.migrations)
    }
}
