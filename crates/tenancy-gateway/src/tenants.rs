//! The tenants, and what the platform tenant does with them.

mod files;
pub mod http;
mod memory;
mod postgres;
pub mod view;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use anyhow::Result;
use tenancy::{TenantId, TenantRecord, TenantStatus};
use tenancy_postgres::{DirectoryError, PgDirectory};
use tenancy_sqlite::TenantFiles;
use tenancy_tower::Directory;

use crate::database::Database;
use files::FileTenants;
use memory::MemoryTenants;

/// As many as there are buckets for in the rate limit: none is refused because there are too many.
pub const MOST_TENANTS: usize = 4096;

/// All tenants: with their names for the platform, and by state alone for the tenant layer, which asks for it at each
/// request.
pub struct Tenants(Store);

enum Store {
    Memory(MemoryTenants),
    Files(Arc<FileTenants>),
    Postgres(PgDirectory),
}

/// Why a tenant is not created, or stays as it is, or nobody can say.
#[derive(Debug)]
pub enum TenantsError {
    /// There is no such tenant.
    Unknown,
    /// Another has the id or the slug.
    Taken,
    /// There are [as many](MOST_TENANTS) as there may be.
    Full,
    /// The platform tenant is not suspended: nobody could resume it.
    Platform,
    /// A tenant that is deleted stays so.
    Deleted,
    /// There is no room for another: the disk is full.
    NoRoom,
    /// What they are kept in does not answer. A change may be made all the same.
    Unavailable,
    /// The file that they are kept in failed.
    File(anyhow::Error),
    /// What they are kept in failed.
    Store(DirectoryError),
}

impl Tenants {
    /// These tenants, in memory.
    pub fn new(records: impl IntoIterator<Item = TenantRecord>) -> Self {
        Self(Store::Memory(MemoryTenants::new(records)))
    }

    /// Those of the platform's file, and these where they are not in it yet.
    ///
    /// # Errors
    ///
    /// Where the file can't be used.
    pub fn in_files(files: TenantFiles, records: &[TenantRecord]) -> Result<Self> {
        Ok(Self(Store::Files(Arc::new(FileTenants::open(files, records)?))))
    }

    /// Those of a database, which instances share.
    pub fn kept_in(database: &Database) -> Self {
        Self(Store::Postgres(database.directory.clone()))
    }

    /// In what state a tenant is; `None` for an unknown id. It may be as it was a moment ago, where another instance
    /// changed it.
    ///
    /// # Errors
    ///
    /// Where nobody can say.
    pub async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.status(id)),
            Store::Files(tenants) => Ok(tenants.memory.status(id)),
            Store::Postgres(tenants) => postgres::ask(tenants.status(id)).await,
        }
    }

    /// A tenant, in whatever state.
    ///
    /// # Errors
    ///
    /// Where nobody can say.
    pub async fn get(&self, id: TenantId) -> Result<Option<TenantRecord>, TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.get(id)),
            Store::Files(tenants) => Ok(tenants.memory.get(id)),
            Store::Postgres(tenants) => postgres::ask(tenants.tenants().get(id)).await,
        }
    }

    /// At most `limit` tenants with a greater id than `after`, by their ids.
    ///
    /// # Errors
    ///
    /// Where nobody can say.
    pub async fn list(
        &self,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantRecord>, TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.list(after, limit)),
            Store::Files(tenants) => Ok(tenants.memory.list(after, limit)),
            Store::Postgres(tenants) => postgres::list(tenants, after, limit).await,
        }
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// Where its id or slug is taken, or there is no room, or nobody can say.
    pub async fn create(&self, record: TenantRecord) -> Result<(), TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => tenants.create(record),
            Store::Files(tenants) => tenants.create(record).await,
            Store::Postgres(tenants) => postgres::create(tenants, record).await,
        }
    }

    /// Suspends or resumes a tenant, which may be so already.
    ///
    /// # Errors
    ///
    /// For an unknown tenant, one that is deleted, and the platform's, which stays active; and where nobody can say.
    pub async fn set_status(&self, id: TenantId, status: TenantStatus) -> Result<TenantRecord, TenantsError> {
        if id.is_platform() && status != TenantStatus::Active {
            return Err(TenantsError::Platform);
        }
        match &self.0 {
            Store::Memory(tenants) => tenants.set_status(id, status),
            Store::Files(tenants) => tenants.set_status(id, status).await,
            Store::Postgres(tenants) => postgres::set_status(tenants, id, status).await,
        }
    }
}

impl fmt::Display for TenantsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such tenant"),
            Self::Taken => f.write_str("another tenant has the id or the slug"),
            Self::Full => f.write_str("there are as many tenants as there may be"),
            Self::Platform => f.write_str("the platform tenant stays active"),
            Self::Deleted => f.write_str("the tenant is deleted"),
            Self::NoRoom => f.write_str("there is no room for another tenant"),
            Self::Unavailable => f.write_str("the tenants' store does not answer"),
            Self::File(error) => write!(f, "the tenants' file failed: {error}"),
            Self::Store(error) => write!(f, "the tenants' store failed: {error}"),
        }
    }
}

impl std::error::Error for TenantsError {}

/// What the tenant layer asks. Its own time-out ends what does not answer.
impl Directory for Tenants {
    type Error = DirectoryError;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, DirectoryError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.status(tenant)),
            Store::Files(tenants) => Ok(tenants.memory.status(tenant)),
            Store::Postgres(tenants) => tenants.status(tenant).await,
        }
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        match &self.0 {
            Store::Memory(tenants) => Poll::Ready(tenants.status(tenant)),
            Store::Files(tenants) => Poll::Ready(tenants.memory.status(tenant)),
            Store::Postgres(tenants) => tenants.status_now(tenant),
        }
    }
}

/// Shows how many tenants there are or are kept, and none of them.
impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Store::Memory(tenants) => f.debug_struct("Tenants").field("len", &tenants.len()).finish(),
            Store::Files(tenants) => f.debug_tuple("Tenants").field(tenants).finish(),
            Store::Postgres(tenants) => f.debug_tuple("Tenants").field(tenants).finish(),
        }
    }
}
