//! Errors of the table of tenants.

use std::error::Error as StdError;
use std::fmt;

use tenancy::TenantNotFoundError;

use crate::error::Error;
use crate::wire::{ColumnError, ServerError};

/// An error of a read or a write of the table of tenants.
///
/// Neither `Display` nor `Debug` shows the detail of a server's error.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A tenant with this id exists already, in any state.
    IdTaken,
    /// A tenant with this slug exists already, in any state.
    SlugTaken,
    /// The tenant does not exist.
    NotFound(TenantNotFoundError),
    /// The tenant is deleted permanently, so its state cannot change.
    Deleted,
    /// A record cannot be read, because a newer version of this crate wrote it.
    Row,
    /// The query of a concurrent lookup of the same tenant failed.
    Shared,
    /// The database did not answer in time.
    Timeout,
    /// The database rejected the statement, or cannot be reached.
    Database(Error),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdTaken => f.write_str("id is already taken by a tenant"),
            Self::SlugTaken => f.write_str("slug is already taken by a tenant"),
            Self::NotFound(error) => error.fmt(f),
            Self::Deleted => f.write_str("invalid transition: tenant is deleted"),
            Self::Row => f.write_str("cannot read the tenant's record"),
            Self::Shared => f.write_str("concurrent lookup of the same tenant failed"),
            Self::Timeout => f.write_str("database did not answer in time"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl StdError for DirectoryError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NotFound(error) => error.source(),
            Self::Database(error) => error.source(),
            _ => None,
        }
    }
}

impl From<TenantNotFoundError> for DirectoryError {
    fn from(error: TenantNotFoundError) -> Self {
        Self::NotFound(error)
    }
}

impl From<Error> for DirectoryError {
    fn from(error: Error) -> Self {
        match &error {
            Error::Postgres(server) => refused(server).unwrap_or(Self::Database(error)),
            _ => Self::Database(error),
        }
    }
}

impl From<ColumnError> for DirectoryError {
    fn from(error: ColumnError) -> Self {
        Error::from(error).into()
    }
}

impl From<tokio_postgres::Error> for DirectoryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

/// Returns the error for a violated constraint of the table.
fn refused(error: &ServerError) -> Option<DirectoryError> {
    if (error.schema(), error.table()) != (Some("tenancy"), Some("tenants")) {
        return None;
    }
    match (error.code(), error.constraint()?) {
        ("23505", "tenants_pkey") => Some(DirectoryError::IdTaken),
        ("23505", "tenants_slug_key") => Some(DirectoryError::SlugTaken),
        ("23514", "tenants_deleted_stays") => Some(DirectoryError::Deleted),
        _ => None,
    }
}
