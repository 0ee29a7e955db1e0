//! Errors of transactions on sqlx.

use std::error::Error as StdError;
use std::fmt;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use tenancy::TenantContextNotSetError;

use crate::audit::{Finding, Leaks};

/// `no_active_sql_transaction`, the SQLSTATE of the server if no transaction is open.
pub(super) const ESCAPED: &str = "25P01";

/// The reason why a transaction on sqlx did not begin, or was not committed.
///
/// Neither `Display` nor `Debug` shows the detail of a server's error, because it may contain a key of another tenant.
/// The error inside [`Sqlx`](Self::Sqlx) contains it.
#[non_exhaustive]
pub enum SqlxError {
    /// No tenant is set in the context.
    Tenant(TenantContextNotSetError),
    /// The critical findings of the audit.
    Leaks(Vec<Finding>),
    /// The SQL ended the transaction or left its tenant, for example by `COMMIT`, `ROLLBACK` or `RESET ALL`. Its
    /// changes until then may be committed. The connection was closed.
    TxEscaped,
    /// The reply to the commit was lost. The transaction may be committed or not.
    CommitUnknown(sqlx::Error),
    /// The server rejected a statement, or cannot be reached.
    Sqlx(sqlx::Error),
}

impl SqlxError {
    /// Converts an error of a commit. After a server's error nothing is committed; otherwise the outcome is unknown.
    pub(super) fn of_commit(error: sqlx::Error) -> Self {
        let database =
            error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        match database.map(PgDatabaseError::severity) {
            Some(PgSeverity::Error) => Self::of_rollback(error),
            _ => Self::CommitUnknown(error),
        }
    }

    pub(super) fn of_rollback(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(DatabaseError::code) {
            Some(code) if code == ESCAPED => Self::TxEscaped,
            _ => Self::Sqlx(error),
        }
    }

    fn sqlx(&self) -> Option<&sqlx::Error> {
        match self {
            Self::CommitUnknown(error) | Self::Sqlx(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for SqlxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => error.fmt(f),
            Self::Leaks(findings) => Leaks(findings).fmt(f),
            Self::TxEscaped => f.write_str("statement ended its transaction or left its tenant"),
            Self::CommitUnknown(error) => {
                write!(f, "reply to commit lost, outcome unknown: {}", Brief(error))
            }
            Self::Sqlx(error) => Brief(error).fmt(f),
        }
    }
}

impl fmt::Debug for SqlxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(error) => f.debug_tuple("Tenant").field(error).finish(),
            Self::Leaks(findings) => f.debug_tuple("Leaks").field(findings).finish(),
            Self::TxEscaped => f.write_str("TxEscaped"),
            Self::CommitUnknown(error) => write!(f, "CommitUnknown({})", Brief(error)),
            Self::Sqlx(error) => write!(f, "Sqlx({})", Brief(error)),
        }
    }
}

/// An error of the server without its detail.
struct Brief<'a>(&'a sqlx::Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_database_error() {
            Some(error) => write!(f, "{} ({})", error.message(), error.code().unwrap_or_default()),
            None => self.0.fmt(f),
        }
    }
}

impl StdError for SqlxError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tenant(error) => error.source(),
            // The source of a server's error would show its detail.
            _ => self.sqlx().filter(|error| error.as_database_error().is_none())?.source(),
        }
    }
}

impl From<TenantContextNotSetError> for SqlxError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::Tenant(error)
    }
}

impl From<sqlx::Error> for SqlxError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}
