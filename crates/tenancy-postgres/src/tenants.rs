//! The table of tenants.

mod call;
mod error;

use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus};
use tokio_postgres::GenericClient;

#[cfg(feature = "directory")]
pub(crate) use self::call::build;
pub(crate) use self::call::{Call, Connection, run_on};
pub use self::error::DirectoryError;

/// The table of tenants, through one of three connections.
///
/// | connection | for | constructor |
/// | --- | --- | --- |
/// | a client or a transaction of `tokio-postgres` | an operator's program | [`TenantsTable::new`] |
/// | [`AdminDb`](crate::AdminDb) | an operator; each call is logged with its reason | [`AdminDb::tenants`](crate::AdminDb::tenants) |
/// | `PgDirectory` (feature `directory`) | a service | `PgDirectory::tenants` |
///
/// An operator is a superuser or a member of `tenancy_owner`.
///
/// ```no_run
/// # async fn example(operator: &tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use tenancy::{TenantRecord, TenantSlug, TenantStatus, tenant_id};
/// use tenancy_postgres::TenantsTable;
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// let mut tenants = TenantsTable::new(operator);
/// tenants.create(&TenantRecord::new(acme, TenantSlug::parse("acme")?, TenantStatus::Active)).await?;
/// tenants.set_status(acme, TenantStatus::Suspended).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TenantsTable<C>(C);

impl<'a, C: GenericClient + Sync> TenantsTable<&'a C> {
    /// Uses a client or a transaction of `tokio-postgres`.
    pub fn new(operator: &'a C) -> Self {
        Self(operator)
    }
}

impl<C: Connection> TenantsTable<C> {
    pub(crate) fn of(connection: C) -> Self {
        Self(connection)
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::IdTaken`] or [`DirectoryError::SlugTaken`] if another tenant has the id or the slug, even if
    ///   that tenant is deleted.
    /// - [`DirectoryError::Database`] if the database cannot be reached or rejects the statement. After
    ///   [`Error::CommitUnknown`](crate::Error::CommitUnknown) it is not known whether the tenant was added.
    pub async fn create(&mut self, record: &TenantRecord) -> Result<(), DirectoryError> {
        self.0.run(Call::Create(record)).await.map(drop)
    }

    /// Changes the state of a tenant. A tenant that is deleted stays deleted, and its id is never used again.
    ///
    /// # Errors
    ///
    /// - [`DirectoryError::NotFound`] if the tenant does not exist.
    /// - [`DirectoryError::Deleted`] if the tenant is deleted and another state is given.
    /// - [`DirectoryError::Database`] as for [`create`](Self::create).
    pub async fn set_status(&mut self, tenant: TenantId, status: TenantStatus) -> Result<(), DirectoryError> {
        self.0.run(Call::SetStatus(tenant, status)).await.map(drop)
    }

    /// Returns the record of a tenant in any state, or `None` if the tenant does not exist.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Database`] if the database cannot be reached or rejects the statement, and
    /// [`DirectoryError::Row`] if a newer version of this crate wrote the record.
    pub async fn get(&mut self, tenant: TenantId) -> Result<Option<TenantRecord>, DirectoryError> {
        Ok(self.0.run(Call::Get(tenant)).await?.pop())
    }

    /// Returns the record of the tenant with this slug, in any state.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn by_slug(&mut self, slug: TenantSlug) -> Result<Option<TenantRecord>, DirectoryError> {
        Ok(self.0.run(Call::BySlug(slug)).await?.pop())
    }

    /// Returns a page of all tenants in the order of their ids: at most `limit` of those after `after`.
    ///
    /// ```no_run
    /// # use tenancy_postgres::{DirectoryError, TenantsTable};
    /// # async fn example(operator: &tokio_postgres::Client) -> Result<(), DirectoryError> {
    /// let (mut tenants, mut last) = (TenantsTable::new(operator), None);
    /// loop {
    ///     let page = tenants.list(last, 1_000).await?;
    ///     for tenant in &page {
    ///         println!("{} {} {:?}", tenant.id(), tenant.slug(), tenant.status());
    ///     }
    ///     let Some(tenant) = page.last() else { break };
    ///     last = Some(tenant.id());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn list(
        &mut self,
        after: Option<TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantRecord>, DirectoryError> {
        self.0.run(Call::List { after, limit }).await
    }
}
