//! Where the files are, and what bounds them.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use crate::migrations::{Migration, check};

const MAX_OPEN: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Where the files are, and what bounds them.
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
///     .busy_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) folder: PathBuf,
    pub(crate) migrations: &'static [Migration],
    pub(crate) max_open: NonZeroUsize,
    pub(crate) max_bytes: Option<NonZeroU64>,
    pub(crate) busy_timeout: Duration,
}

impl Config {
    /// Files in a folder of their own, which is made where it is not there.
    ///
    /// There are no migrations, 64 files are open at most, none has a limit, and a wait takes 5 seconds at most.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            migrations: &[],
            max_open: MAX_OPEN,
            max_bytes: None,
            busy_timeout: Duration::from_secs(5),
        }
    }

    /// What makes each file's tables, the first version first.
    #[must_use]
    pub fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// How many files are open at most; each has up to three descriptors.
    #[must_use]
    pub fn max_open(mut self, files: NonZeroUsize) -> Self {
        self.max_open = files;
        self
    }

    /// How large a tenant's file may get, rounded down to pages of 4 KiB. A file that is larger already stays as it is.
    ///
    /// Its write-ahead log comes on top: for a while, what one transaction changes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How long a call waits for its tenant's connection, and for one of [`max_open`](Self::max_open).
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        check(self.migrations)
    }
}
