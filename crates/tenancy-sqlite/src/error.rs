//! Why a call gave nothing.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use tenancy::{TenantContextNotSetError, TenantError, TenantId};

/// Why a call gave nothing, and nothing of it is kept.
///
/// Neither `Display` nor `Debug` shows a parameter, a value, or the text of a statement. The error of
/// [`Sqlite`](Self::Sqlite) does.
#[non_exhaustive]
pub enum Error {
    /// There is no tenant in the context, it has no file, or it is not the one who may ask.
    Tenant(TenantError),
    /// Another process, or another [`TenantFiles`](crate::TenantFiles), has the folder.
    FolderTaken,
    /// A body used the file of its own tenant again: it has the only connection.
    Nested,
    /// The tenant's connection, or one of those that may be open, was not free in time; or another program has a lock
    /// on the file.
    Busy,
    /// The file has reached its limit, or the disk is full.
    Full,
    /// The statement would leave the tenant's file, or change how it is kept.
    Denied,
    /// The statement writes, and this is a read, or the file can't be written.
    ReadOnly,
    /// The SQL ended its transaction, or tried to: `COMMIT`, `ROLLBACK`, a conflict with `OR ROLLBACK`.
    TxEscaped,
    /// The tenant's file is damaged, or is no SQLite file.
    Corrupt(TenantId),
    /// What has the name of the tenant's file is no file of its own: a symbolic link, a folder.
    NotAFile(TenantId),
    /// What has the name of the tenant's file was another's, or no tenant's. It was not changed.
    Foreign(TenantId),
    /// The tenant's file has tables that this program does not know: a newer one made them. It was not changed.
    UnknownVersion {
        /// Whose file it is.
        tenant: TenantId,
        /// The file's version.
        found: i32,
        /// The newest version that the program knows.
        known: i32,
    },
    /// A migration failed; those with it were taken back.
    Migration {
        /// The version that failed.
        version: i32,
        /// Why.
        source: Box<Error>,
    },
    /// The configuration can't work, or the call can't work with it.
    Config(&'static str),
    /// The operating system refused.
    Io(io::Error),
    /// SQLite refused.
    Sqlite(rusqlite::Error),
}

impl Error {
    /// The same, where it is known whose file it was.
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
            Self::FolderTaken => f.write_str("another process has the folder of the tenants' files"),
            Self::Nested => f.write_str("the tenant's file is in use by the caller itself"),
            Self::Busy => f.write_str("no connection was free in time"),
            Self::Full => f.write_str("the tenant's file, or the disk, is full"),
            Self::Denied => f.write_str("the statement is not allowed in a tenant's file"),
            Self::ReadOnly => f.write_str("the statement writes what can only be read"),
            Self::TxEscaped => f.write_str("the SQL ended its transaction, and nothing of it is kept"),
            Self::Corrupt(tenant) => write!(f, "the file of tenant {tenant} is damaged"),
            Self::NotAFile(tenant) => write!(f, "the file of tenant {tenant} is no regular file"),
            Self::Foreign(tenant) => {
                write!(f, "what has the name of the file of tenant {tenant} was not made for it")
            }
            Self::UnknownVersion { tenant, found, known } => write!(
                f,
                "the file of tenant {tenant} has version {found}, and the newest that is known is {known}"
            ),
            Self::Migration { version, source } => write!(f, "migration {version} failed: {source}"),
            Self::Config(problem) => f.write_str(problem),
            // Its own text may name a path.
            Self::Io(error) => write!(f, "the operating system refused: {}", error.kind()),
            Self::Sqlite(error) => Brief(error).fmt(f),
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
            Self::Full => f.write_str("Full"),
            Self::Denied => f.write_str("Denied"),
            Self::ReadOnly => f.write_str("ReadOnly"),
            Self::TxEscaped => f.write_str("TxEscaped"),
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
            Self::Sqlite(error) => write!(f, "Sqlite({})", Brief(error)),
        }
    }
}

/// An error of SQLite without what it may repeat: values, and the text of a statement.
struct Brief<'a>(&'a rusqlite::Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rusqlite::Error as E;
        match self.0 {
            E::SqliteFailure(error, Some(text)) if names_columns_alone(*error) => {
                write!(f, "sqlite: {text}")
            }
            E::SqliteFailure(error, _) => write!(f, "sqlite: {}", Code(error)),
            E::SqlInputError { error, offset, .. } => {
                write!(f, "sqlite: {} at byte {offset} of the statement", Code(error))
            }
            E::FromSqlConversionFailure(column, kind, _) => {
                write!(f, "a value of type {kind} in column {column} can't be converted")
            }
            E::IntegralValueOutOfRange(column, _) => {
                write!(f, "an integer in column {column} is out of range")
            }
            E::Utf8Error(column, _) => write!(f, "the text in column {column} is not utf-8"),
            E::InvalidColumnType(column, _, kind) => write!(f, "column {column} has type {kind}"),
            E::QueryReturnedNoRows => f.write_str("the query gave no row"),
            E::QueryReturnedMoreThanOneRow => f.write_str("the query gave more than one row"),
            E::ExecuteReturnedResults => f.write_str("the statement gave rows, and none were expected"),
            E::MultipleStatement => f.write_str("there is more than one statement"),
            E::InvalidParameterCount(given, needed) => {
                write!(f, "{given} parameters were given, and {needed} are needed")
            }
            E::InvalidColumnIndex(column) => write!(f, "there is no column {column}"),
            _ => f.write_str("a parameter or a column does not fit the statement"),
        }
    }
}

/// Whether what SQLite says of it is the names of tables, columns and indexes. A CHECK without a name is its own text, and
/// a trigger says what it likes, values too.
fn names_columns_alone(error: ffi::Error) -> bool {
    use ffi::{SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    [SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE]
        .contains(&error.extended_code)
}

/// What an error code means, in SQLite's words.
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
            // What is left of the others' errors is what is not to be shown.
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
            _ => Self::Sqlite(error),
        }
    }
}
