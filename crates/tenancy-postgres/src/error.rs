//! Why a statement gave nothing.

use std::error::Error as StdError;
use std::fmt;

use tenancy::{TenantContextNotSetError, TenantError, TenantMismatchError};
use tokio_postgres::error::SqlState;

use crate::audit::{Finding, Leaks};
use crate::table::TableError;

/// Why a statement gave nothing, or a transaction was not committed.
///
/// Neither `Display` nor `Debug` shows what the server tells in an error's detail, for it may name another tenant's
/// key. The error of [`Postgres`](Self::Postgres) has it.
#[non_exhaustive]
pub enum Error {
    /// There is no tenant in the context.
    Tenant(TenantError),
    /// A row belongs to another tenant. Nothing of the result is given, and the transaction is not committed.
    Mismatch(TenantMismatchError),
    /// A row lacks the tenant column of a table that it comes from, so nobody can tell whose it is.
    MissingTenantColumn,
    /// The SQL ended the transaction or left its tenant: `COMMIT`, `ROLLBACK`, `RESET ALL`. What it did until then
    /// may be committed; its connection is closed.
    TxEscaped,
    /// An earlier error closed the transaction's connection, or one of its statements was dropped on the way.
    TxClosed,
    /// The answer to a commit was lost: it may be committed, or not.
    CommitUnknown(tokio_postgres::Error),
    /// No connection was free, or could be made, in time.
    PoolTimeout,
    /// The configuration can't work.
    Config(&'static str),
    /// The database would leak: what the audit found that is critical.
    Leaks(Vec<Finding>),
    /// A statement on a table was not sent, or its rows are not what was asked for.
    Table(TableError),
    /// The server refused, or could not be reached.
    Postgres(tokio_postgres::Error),
}

/// Where an error stopped what would have left its tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Layer {
    /// No statement without a tenant.
    Context,
    /// The statement was not sent.
    Query,
    /// The database refused: row-level security, or a missing privilege.
    Database,
    /// The result was not what the tenant may see, and was dropped.
    Result,
}

impl Error {
    /// Whether the database may well do it later: it was away, or had too much to do. After
    /// [`CommitUnknown`](Self::CommitUnknown) it may be done already.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::PoolTimeout | Self::CommitUnknown(_) | Self::TxClosed => true,
            Self::Postgres(error) => error.code().is_none_or(is_of_the_server),
            _ => false,
        }
    }

    /// The layer that stopped it. None: it was no tenant's boundary that failed.
    pub fn layer(&self) -> Option<Layer> {
        match self {
            Self::Tenant(_) => Some(Layer::Context),
            Self::Table(error) if error.is_refusal() => Some(Layer::Query),
            Self::TxEscaped | Self::Leaks(_) => Some(Layer::Database),
            Self::Postgres(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                Some(Layer::Database)
            }
            Self::Mismatch(_) | Self::MissingTenantColumn => Some(Layer::Result),
            _ => None,
        }
    }

    fn postgres(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::CommitUnknown(error) | Self::Postgres(error) => Some(error),
            _ => None,
        }
    }
}

/// Connections, resources, serialization, an operator's shutdown, a standby, the system.
fn is_of_the_server(code: &SqlState) -> bool {
    let code = code.code();
    code == "25006" || ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => error.fmt(f),
            Self::Mismatch(error) => error.fmt(f),
            Self::MissingTenantColumn => {
                f.write_str("a row lacks the tenant column of a table it comes from")
            }
            Self::TxEscaped => f.write_str("the SQL ended its transaction, or left its tenant"),
            Self::TxClosed => f.write_str("the transaction was closed by an earlier error"),
            Self::CommitUnknown(error) => write!(f, "the answer to a commit was lost: {}", Brief(error)),
            Self::PoolTimeout => f.write_str("no connection was free in time"),
            Self::Config(problem) => write!(f, "the configuration can't work: {problem}"),
            Self::Leaks(findings) => Leaks(findings).fmt(f),
            Self::Table(error) => error.fmt(f),
            Self::Postgres(error) => Brief(error).fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => f.debug_tuple("Tenant").field(error).finish(),
            Self::Mismatch(error) => f.debug_tuple("Mismatch").field(error).finish(),
            Self::MissingTenantColumn => f.write_str("MissingTenantColumn"),
            Self::TxEscaped => f.write_str("TxEscaped"),
            Self::TxClosed => f.write_str("TxClosed"),
            Self::CommitUnknown(error) => write!(f, "CommitUnknown({})", Brief(error)),
            Self::PoolTimeout => f.write_str("PoolTimeout"),
            Self::Config(problem) => f.debug_tuple("Config").field(problem).finish(),
            Self::Leaks(findings) => f.debug_tuple("Leaks").field(findings).finish(),
            Self::Table(error) => f.debug_tuple("Table").field(error).finish(),
            Self::Postgres(error) => write!(f, "Postgres({})", Brief(error)),
        }
    }
}

/// An error of the server without its detail.
struct Brief<'a>(&'a tokio_postgres::Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(error) => write!(f, "{} ({})", error.message(), error.code().code()),
            None => self.0.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tenant(error) => error.source(),
            Self::Mismatch(error) => error.source(),
            Self::Table(error) => error.source(),
            // What is left of a server's error is its detail.
            _ => self.postgres().filter(|error| error.as_db_error().is_none())?.source(),
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

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}
