//! Errors of the store of tenants.

use std::fmt;

use tenancy_postgres::DirectoryError;

/// The maximum number of tenants. The rate limit has a bucket for each of them.
pub const MOST_TENANTS: usize = 4096;

/// An error of the store of tenants.
#[derive(Debug)]
pub enum TenantsError {
    /// The tenant does not exist.
    Unknown,
    /// Another tenant has the id or the slug.
    Taken,
    /// There are [`MOST_TENANTS`] tenants.
    Full,
    /// The platform tenant cannot be suspended, because no one could resume it.
    Platform,
    /// The tenant is deleted, which is permanent.
    Deleted,
    /// The disk is full.
    NoRoom,
    /// The store does not answer. The change may have been made.
    Unavailable,
    /// The platform's file failed.
    File(anyhow::Error),
    /// The database failed.
    Store(DirectoryError),
}

impl fmt::Display for TenantsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("tenant not found"),
            Self::Taken => f.write_str("id or slug of another tenant"),
            Self::Full => f.write_str("maximum number of tenants reached"),
            Self::Platform => f.write_str("platform tenant cannot be suspended"),
            Self::Deleted => f.write_str("tenant is deleted"),
            Self::NoRoom => f.write_str("disk full"),
            Self::Unavailable => f.write_str("store of tenants does not answer"),
            Self::File(error) => write!(f, "file of tenants failed: {error}"),
            Self::Store(error) => write!(f, "store of tenants failed: {error}"),
        }
    }
}

impl std::error::Error for TenantsError {}
