//! The store of tenants.

mod error;
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

pub use error::{MOST_TENANTS, TenantsError};

/// All tenants: their records for the platform, and their status for the tenant layer, which reads it for each request.
pub struct Tenants(Store);

enum Store {
    Memory(MemoryTenants),
    Files(Arc<FileTenants>),
    Postgres(PgDirectory),
}

impl Tenants {
    /// Creates a store in memory with these tenants.
    pub fn new(records: impl IntoIterator<Item = TenantRecord>) -> Self {
        Self(Store::Memory(MemoryTenants::new(records)))
    }

    /// Opens the store in the platform's file, and adds tenants that it does not contain.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn in_files(files: TenantFiles, records: &[TenantRecord]) -> Result<Self> {
        Ok(Self(Store::Files(Arc::new(FileTenants::open(files, records)?))))
    }

    /// Creates a store in a database that instances share.
    pub fn kept_in(database: &Database) -> Self {
        Self(Store::Postgres(database.directory.clone()))
    }

    /// Returns the status of a tenant, or `None` if there is no such tenant. A change by another instance can take a
    /// moment to arrive.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.status(id)),
            Store::Files(tenants) => Ok(tenants.memory.status(id)),
            Store::Postgres(tenants) => postgres::ask(tenants.status(id)).await,
        }
    }

    /// Returns a tenant with any status.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn get(&self, id: TenantId) -> Result<Option<TenantRecord>, TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => Ok(tenants.get(id)),
            Store::Files(tenants) => Ok(tenants.memory.get(id)),
            Store::Postgres(tenants) => postgres::ask(tenants.tenants().get(id)).await,
        }
    }

    /// Returns at most `limit` tenants with a greater id than `after`, sorted by id.
    ///
    /// # Errors
    ///
    /// If the store fails.
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
    /// If the id or slug is taken, if there are too many tenants, or if the store fails.
    pub async fn create(&self, record: TenantRecord) -> Result<(), TenantsError> {
        match &self.0 {
            Store::Memory(tenants) => tenants.create(record),
            Store::Files(tenants) => tenants.create(record).await,
            Store::Postgres(tenants) => postgres::create(tenants, record).await,
        }
    }

    /// Suspends or resumes a tenant. Does nothing if the tenant has the status already.
    ///
    /// # Errors
    ///
    /// If the tenant does not exist, is deleted, or is the platform tenant, which stays active; or if the store fails.
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

/// Used by the tenant layer, which has a time-out of its own.
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

/// Shows the number of tenants, and no tenant.
impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Store::Memory(tenants) => f.debug_struct("Tenants").field("len", &tenants.len()).finish(),
            Store::Files(tenants) => f.debug_tuple("Tenants").field(tenants).finish(),
            Store::Postgres(tenants) => f.debug_tuple("Tenants").field(tenants).finish(),
        }
    }
}
