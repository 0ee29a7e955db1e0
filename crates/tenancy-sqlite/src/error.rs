//! The error of an operation on a tenant's file.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use tenancy::{TenantContextNotSetError, TenantError, TenantId};

use crate::descriptors;

/// An error of an operation on a tenant's file. The operation's changes were rolled back.
///
/// Neither `Display` nor `Debug` shows a parameter, a value, or the text of a statement. The error inside of
/// [`Sqlite`](Self::Sqlite) does.
#[non_exhaustive]
pub enum Error {
    /// The context has no tenant, the tenant has no file, or the tenant may not call this method.
    Tenant(TenantError),
    /// Another process, or another [`TenantFiles`](crate::TenantFiles), has opened the folder.
    FolderTaken,
    /// A body used the file of its own tenant again. It would wait for itself.
    Nested,
    /// No connection was free within the timeout, or another program has locked the file.
    Busy,
    /// The process has run out of file descriptors, although all idle connections were closed. The next call tries again.
    TooManyOpenFiles,
    /// The file has reached its maximum size, or the disk is full.
    Full,
    /// The statement would leave the tenant's file, or change how it is stored.
    Denied,
    /// The statement writes in a read, or the file is read-only.
    ReadOnly,
    /// The SQL ended its transaction, or tried to: `COMMIT`, `ROLLBACK`, or a conflict with `OR ROLLBACK`.
    TxEscaped,
    /// The statement ran longer than [`statement_timeout`](crate::Config::statement_timeout).
    TimeLimit,
    /// The statement needs more memory than [`max_memory`](crate::Config::max_memory), or a value is larger than
    /// [`max_value`](crate::Config::max_value).
    MemoryLimit,
    /// The tenant's file is damaged, or is not an SQLite file.
    Corrupt(TenantId),
    /// The path of the tenant's file is a symbolic link, a folder, or another thing that is not a regular file.
    NotAFile(TenantId),
    /// The file at the path of the tenant's file was not created for this tenant. It was not changed.
    Foreign(TenantId),
    /// A newer program created the tables of the tenant's file. The file was not changed.
    UnknownVersion {
        /// The file's tenant.
        tenant: TenantId,
        /// The file's version.
        found: i32,
        /// The newest version that the program knows.
        known: i32,
    },
    /// A migration failed. All migrations of this opening were rolled back.
    Migration {
        /// The version that failed.
        version: i32,
        /// The error of the migration.
        source: Box<Error>,
    },
    /// The configuration, or an argument, is invalid.
    Config(&'static str),
    /// An error of the operating system.
    Io(io::Error),
    /// An error of SQLite.
    Sqlite(rusqlite::Error),
}

impl Error {
    /// Whether the same call can succeed later, because it failed for lack of a shared resource.
    ///
    /// A service answers such an error with `503 Service Unavailable`.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::TooManyOpenFiles)
    }

    /// Converts an error of a connection to this tenant's file.
    pub(crate) fn of(tenant: TenantId, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(tenant),
            _ => error.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => error.fmt(f),
            Self::FolderTaken => f.write_str("the folder of the tenants' files is in use by another process"),
            Self::Nested => f.write_str("the tenant's file is already in use by the caller"),
            Self::Busy => f.write_str("no connection to the tenant's file was free within the timeout"),
            Self::TooManyOpenFiles => f.write_str("too many open files in the process or the system"),
            Self::Full => f.write_str("the tenant's file or the disk is full"),
            Self::Denied => f.write_str("the statement is not allowed in a tenant's file"),
            Self::ReadOnly => f.write_str("cannot write in a read or in a read-only file"),
            Self::TxEscaped => f.write_str("the SQL ended its transaction, which was rolled back"),
            Self::TimeLimit => f.write_str("the statement exceeded its time limit"),
            Self::MemoryLimit => f.write_str("the statement exceeded a memory limit"),
            Self::Corrupt(tenant) => write!(f, "the file of tenant {tenant} is damaged"),
            Self::NotAFile(tenant) => write!(f, "the file of tenant {tenant} is not a regular file"),
            Self::Foreign(tenant) => {
                write!(f, "the file at the path of tenant {tenant} was not created for this tenant")
            }
            Self::UnknownVersion { tenant, found, known } => write!(
                f,
                "the file of tenant {tenant} has version {found}, the newest known version is {known}"
            ),
            Self::Migration { version, source } => write!(f, "migration {version} failed: {source}"),
            Self::Config(problem) => f.write_str(problem),
            // The error's own text can contain a path.
            Self::Io(error) => write!(f, "operating system error: {}", error.kind()),
            Self::Sqlite(error) => Redacted(error).fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => f.debug_tuple("Tenant").field(error).finish(),
            Self::FolderTaken => f.write_str("FolderTaken"),
            Self::Nested => f.write_str("Nested"),
            Self::Busy => f.write_str("Busy"),
            Self::TooManyOpenFiles => f.write_str("TooManyOpenFiles"),
            Self::Full => f.write_str("Full"),
            Self::Denied => f.write_str("Denied"),
            Self::ReadOnly => f.write_str("ReadOnly"),
            Self::TxEscaped => f.write_str("TxEscaped"),
            Self::TimeLimit => f.write_str("TimeLimit"),
            Self::MemoryLimit => f.write_str("MemoryLimit"),
            Self::Corrupt(tenant) => f.debug_tuple("Corrupt").field(tenant).finish(),
            Self::NotAFile(tenant) => f.debug_tuple("NotAFile").field(tenant).finish(),
            Self::Foreign(tenant) => f.debug_tuple("Foreign").field(tenant).finish(),
            Self::UnknownVersion { tenant, found, known } => f
                .debug_struct("UnknownVersion")
                .field("tenant", tenant)
                .field("found", found)
                .field("known", known)
                .finish(),
            Self::Migration { version, source } => {
                f.debug_struct("Migration").field("version", version).field("source", source).finish()
            }
            Self::Config(problem) => f.debug_tuple("Config").field(problem).finish(),
            Self::Io(error) => write!(f, "Io({:?})", error.kind()),
            Self::Sqlite(error) => write!(f, "Sqlite({})", Redacted(error)),
        }
    }
}

/// An error of SQLite without values and without the text of a statement.
struct Redacted<'a>(&'a rusqlite::Error);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rusqlite::Error as E;
        match self.0 {
            E::SqliteFailure(error, Some(text)) if names_columns_only(*error) => {
                write!(f, "sqlite: {text}")
            }
            E::SqliteFailure(error, _) => write!(f, "sqlite: {}", Code(error)),
            E::SqlInputError { error, offset, .. } => {
                write!(f, "sqlite: {} at byte {offset} of the statement", Code(error))
            }
            E::FromSqlConversionFailure(column, kind, _) => {
                write!(f, "cannot convert a value of type {kind} in column {column}")
            }
            E::IntegralValueOutOfRange(column, _) => {
                write!(f, "an integer in column {column} is out of range")
            }
            E::Utf8Error(column, _) => write!(f, "the text in column {column} is not utf-8"),
            E::InvalidColumnType(column, _, kind) => write!(f, "column {column} has type {kind}"),
            E::QueryReturnedNoRows => f.write_str("the query returned no row"),
            E::QueryReturnedMoreThanOneRow => f.write_str("the query returned more than one row"),
            E::ExecuteReturnedResults => f.write_str("the statement returned rows, expected none"),
            E::MultipleStatement => f.write_str("more than one statement, expected one"),
            E::InvalidParameterCount(given, needed) => {
                write!(f, "{given} parameters, expected {needed}")
            }
            E::InvalidColumnIndex(column) => write!(f, "column {column} not found"),
            _ => f.write_str("a parameter or a column does not fit the statement"),
        }
    }
}

/// Whether SQLite's message contains only names of tables, columns and indexes.
///
/// The message of a `CHECK` without a name is its expression, and a trigger chooses its message.
fn names_columns_only(error: ffi::Error) -> bool {
    use ffi::{SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    [SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE]
        .contains(&error.extended_code)
}

/// SQLite's description of an error code.
struct Code<'a>(&'a ffi::Error);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.extended_code;
        write!(f, "{} ({code})", ffi::code_to_str(code))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tenant(error) => error.source(),
            Self::Migration { source, .. } => source.source(),
            // The other sources can contain values or paths.
            _ => None,
        }
    }
}

impl From<TenantError> for Error {
    fn from(error: TenantError) -> Self {
        Self::Tenant(error)
    }
}

impl From<TenantContextNotSetError> for Error {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::Tenant(error.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ if descriptors::is_out_error(&error) => Self::TooManyOpenFiles,
            _ => Self::Io(error),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::AuthorizationForStatementDenied) => Self::Denied,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy) => Self::Busy,
            Some(ErrorCode::OperationInterrupted) => Self::TimeLimit,
            Some(ErrorCode::OutOfMemory | ErrorCode::TooBig) => Self::MemoryLimit,
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if descriptors::is_out() => {
                Self::TooManyOpenFiles
            }
            _ => Self::Sqlite(error),
        }
    }
}
