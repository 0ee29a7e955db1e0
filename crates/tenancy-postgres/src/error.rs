//! Errors of statements and transactions.

mod table;

use std::error::Error as StdError;
use std::fmt;

use tenancy::{TenantContextNotSetError, TenantError, TenantMismatchError};

use crate::audit::{Finding, Leaks};
use crate::wire::{ColumnError, ConnectionError, ParseOptionsError, ServerError};

pub use table::TableError;

/// An error of a statement, a transaction or the configuration.
///
/// Neither `Display` nor `Debug` shows values: a server's error keeps only its SQLSTATE, its message and the names of
/// the objects that it is about.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No tenant is set in the context; or the tenant does not exist or is not active, if the database handle asks a
    /// [directory](crate::Config::directory).
    Tenant(TenantError),
    /// The directory of [`Config::directory`](crate::Config::directory) cannot tell whether the tenant is active, and why.
    Directory(String),
    /// A row belongs to another tenant. The whole result was discarded, and the transaction is not committed.
    Mismatch(TenantMismatchError),
    /// A row, or a result without rows, has columns of a table, but not its tenant column. Its tenant is unknown.
    MissingTenantColumn,
    /// The SQL ended the transaction, or left its tenant: `COMMIT`, `ROLLBACK`, `RESET ALL`. What it did until then may
    /// be committed. The connection was closed.
    TxEscaped,
    /// An earlier error closed the transaction's connection, or one of its statements was dropped before it was done.
    TxClosed,
    /// The connection broke after the commit was sent: it may have happened or not.
    CommitUnknown(ConnectionError),
    /// No connection became free, or could be established, in time.
    PoolTimeout,
    /// The configuration cannot work.
    Config(&'static str),
    /// The connection string cannot be parsed.
    Options(ParseOptionsError),
    /// The database would leak: the critical findings of the audit.
    Leaks(Vec<Finding>),
    /// A statement on a table was not sent, or its rows are not what was asked for.
    Table(TableError),
    /// A parameter cannot be sent as the type that the statement needs. Nothing was sent.
    #[non_exhaustive]
    Parameter {
        /// The number of the parameter, from 1; 0 if it is the statement's text, which must not contain a null byte.
        index: usize,
    },
    /// The statement has more parameters than it uses. Nothing was sent.
    #[non_exhaustive]
    ParameterCount {
        /// The number of parameters that were given.
        given: usize,
        /// The number of parameters that the statement uses.
        expected: usize,
    },
    /// A column is missing, or its value cannot be converted.
    Column(ColumnError),
    /// The server rejected a statement.
    Postgres(ServerError),
    /// The server cannot be reached, or the connection broke.
    Connection(ConnectionError),
}

/// The layer that stopped a statement which would have left its tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Layer {
    /// No statement runs without a tenant.
    Context,
    /// The statement was not sent.
    Query,
    /// The database rejected it: row-level security, or a missing privilege.
    Database,
    /// The result contained what the tenant must not see, and was discarded.
    Result,
}

impl Error {
    /// Returns whether the same statement may succeed later: the server was not available or overloaded, or the
    /// transaction conflicted with another one. After [`CommitUnknown`](Self::CommitUnknown) it may be done already.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::PoolTimeout | Self::CommitUnknown(_) | Self::TxClosed | Self::Directory(_) => true,
            Self::Connection(error) => error.is_transient(),
            Self::Postgres(error) => is_of_the_server(error),
            _ => false,
        }
    }

    /// Returns whether the transaction conflicted with another one, so that running it again can succeed:
    /// serialization failures (`40001`) and deadlocks (`40P01`).
    pub fn is_conflict(&self) -> bool {
        self.server().is_some_and(|error| ["40001", "40P01"].contains(&error.code()))
    }

    /// The layer that stopped the statement; `None` if the error is not about a tenant's boundary.
    pub fn layer(&self) -> Option<Layer> {
        match self {
            Self::Tenant(_) | Self::Directory(_) => Some(Layer::Context),
            Self::Table(error) if error.is_refusal() => Some(Layer::Query),
            Self::TxEscaped | Self::Leaks(_) => Some(Layer::Database),
            Self::Postgres(error) if error.code() == "42501" => Some(Layer::Database),
            Self::Mismatch(_) | Self::MissingTenantColumn => Some(Layer::Result),
            _ => None,
        }
    }

    /// The server's error, if the server reported one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Postgres(error) => Some(error),
            Self::Connection(error) | Self::CommitUnknown(error) => error.server(),
            _ => None,
        }
    }

    /// The SQLSTATE of the server's error, if the server reported one.
    pub fn code(&self) -> Option<&str> {
        self.server().map(ServerError::code)
    }
}

/// Connections, resources, serialization, an operator's shutdown, a standby, the system.
fn is_of_the_server(error: &ServerError) -> bool {
    // A violation of the protocol is a mistake of the client, for example a parameter that is missing.
    if error.code() == "08P01" {
        return false;
    }
    let is_standby = error.code() == "25006" && !error.is_in_read_only();
    is_standby || ["08", "40", "53", "57", "58"].iter().any(|class| error.code().starts_with(class))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => error.fmt(f),
            Self::Directory(error) => write!(f, "cannot look up the tenant: {error}"),
            Self::Mismatch(error) => error.fmt(f),
            Self::MissingTenantColumn => f.write_str("cannot verify the result: tenant column missing"),
            Self::TxEscaped => f.write_str("statement ended its transaction or left its tenant"),
            Self::TxClosed => f.write_str("transaction is closed by an earlier error or a dropped statement"),
            Self::CommitUnknown(error) => {
                write!(f, "connection lost during commit, outcome unknown: {error}")
            }
            Self::PoolTimeout => f.write_str("no connection available in time"),
            Self::Config(problem) => write!(f, "invalid configuration: {problem}"),
            Self::Options(error) => error.fmt(f),
            Self::Leaks(findings) => Leaks(findings).fmt(f),
            Self::Table(error) => error.fmt(f),
            Self::Parameter { index: 0 } => f.write_str("statement contains a null byte"),
            Self::Parameter { index } => {
                write!(f, "cannot send parameter {index} as the type that the statement needs")
            }
            Self::ParameterCount { given, expected } => {
                write!(f, "{given} parameters given, statement uses {expected}")
            }
            Self::Column(error) => error.fmt(f),
            Self::Postgres(error) => error.fmt(f),
            Self::Connection(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tenant(error) => error.source(),
            Self::Mismatch(error) => error.source(),
            Self::Table(error) => error.source(),
            Self::Column(error) => error.source(),
            Self::Connection(error) | Self::CommitUnknown(error) => error.source(),
            _ => None,
        }
    }
}

impl From<TenantError> for Error {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::TenantMismatch(error) => Self::Mismatch(error),
            error => Self::Tenant(error),
        }
    }
}

impl From<TenantContextNotSetError> for Error {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::Tenant(error.into())
    }
}

impl From<TenantMismatchError> for Error {
    fn from(error: TenantMismatchError) -> Self {
        Self::Mismatch(error)
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl From<ParseOptionsError> for Error {
    fn from(error: ParseOptionsError) -> Self {
        Self::Options(error)
    }
}

impl From<ColumnError> for Error {
    fn from(error: ColumnError) -> Self {
        Self::Column(error)
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Postgres(error)
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

/// An error of a client of `tokio-postgres`, which operators use.
impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => Self::Postgres(error.into()),
            None => Self::Connection(error.into()),
        }
    }
}
