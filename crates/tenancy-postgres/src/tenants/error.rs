//! Why a directory can't say, or did not change.

use std::error::Error as StdError;
use std::fmt;

use tenancy::TenantNotFoundError;

use crate::error::Error;
use crate::wire::{ColumnError, ServerError};

/// Why the tenants' table can't say, or did not change.
///
/// Neither `Display` nor `Debug` shows what the server tells in an error's detail.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// There is a tenant of this id, in whatever state.
    IdTaken,
    /// There is a tenant of this slug, in whatever state.
    SlugTaken,
    /// There is no such tenant.
    NotFound(TenantNotFoundError),
    /// The tenant is deleted, and stays so.
    Deleted,
    /// A record can't be read: a newer version wrote it.
    Row,
    /// It failed for somebody else, who asked for the same tenant at the same time.
    Shared,
    /// The database did not answer in time.
    Timeout,
    /// The database refused, or can't be reached.
    Database(Error),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdTaken => f.write_str("there is a tenant of this id"),
            Self::SlugTaken => f.write_str("there is a tenant of this slug"),
            Self::NotFound(error) => error.fmt(f),
            Self::Deleted => f.write_str("the tenant is deleted, and stays so"),
            Self::Row => f.write_str("a tenant's record can't be read"),
            Self::Shared => f.write_str("the database failed for somebody who asked at the same time"),
            Self::Timeout => f.write_str("the database did not answer in time"),
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

/// What the table itself refuses.
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
