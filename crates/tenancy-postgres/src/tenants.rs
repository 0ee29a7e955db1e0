//! The tenants' table, as an operator writes it.

mod error;

use tenancy::{TenantId, TenantNotFoundError, TenantRecord, TenantSlug, TenantStatus};
use tokio_postgres::{GenericClient, Row};

pub use self::error::DirectoryError;
use crate::id::PgTenantId;

// Names and operators are qualified: the service's sessions may have a search_path of their own.
pub(crate) const INSERT: &str = "INSERT INTO tenancy.tenants (id, slug, status) VALUES ($1, $2, $3)";
pub(crate) const SET_STATUS: &str =
    "UPDATE tenancy.tenants SET status = $2 WHERE id OPERATOR(pg_catalog.=) $1";
pub(crate) const BY_ID: &str =
    "SELECT id, slug, status FROM tenancy.tenants WHERE id OPERATOR(pg_catalog.=) $1";
pub(crate) const BY_SLUG: &str =
    "SELECT id, slug, status FROM tenancy.tenants WHERE slug OPERATOR(pg_catalog.=) $1";
/// Nil is before all ids, and none itself.
pub(crate) const PAGE: &str = "SELECT id, slug, status FROM tenancy.tenants WHERE id OPERATOR(pg_catalog.>) \
     COALESCE($1, '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid) ORDER BY id LIMIT $2";

/// Adds a tenant.
///
/// Like all that writes the table, it is for an operator: a member of `tenancy_owner`, or a superuser. A service has
/// `PgDirectory`, behind the feature `directory`.
///
/// ```no_run
/// # async fn example(operator: &tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use tenancy::{TenantRecord, TenantSlug, TenantStatus, tenant_id};
/// use tenancy_postgres::{create_tenant, set_tenant_status};
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// let record = TenantRecord::new(acme, TenantSlug::parse("acme")?, TenantStatus::Active);
/// create_tenant(operator, &record).await?;
/// set_tenant_status(operator, acme, TenantStatus::Suspended).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`DirectoryError::IdTaken`] and [`DirectoryError::SlugTaken`] where another tenant has it, in whatever state.
/// - [`DirectoryError::Database`] where the server refused, or can't be reached.
pub async fn create_tenant(
    operator: &impl GenericClient,
    record: &TenantRecord,
) -> Result<(), DirectoryError> {
    let (id, slug) = (PgTenantId(record.id()), record.slug());
    operator.execute(INSERT, &[&id, &slug.as_str(), &record.status().as_str()]).await?;
    Ok(())
}

/// Changes the state of a tenant. One that is deleted stays so, and its id is never another's.
///
/// # Errors
///
/// - [`DirectoryError::NotFound`] for an unknown id.
/// - [`DirectoryError::Deleted`] where it is deleted, and would be no more.
/// - [`DirectoryError::Database`] where the server refused, or can't be reached.
pub async fn set_tenant_status(
    operator: &impl GenericClient,
    tenant: TenantId,
    status: TenantStatus,
) -> Result<(), DirectoryError> {
    let updated = operator.execute(SET_STATUS, &[&PgTenantId(tenant), &status.as_str()]).await?;
    found(updated, tenant)
}

/// The record of a tenant, in whatever state; `None` for an unknown id.
///
/// # Errors
///
/// [`DirectoryError::Database`] where the server refused, or can't be reached; [`DirectoryError::Row`] where the
/// record can't be read.
pub async fn tenant(
    operator: &impl GenericClient,
    id: TenantId,
) -> Result<Option<TenantRecord>, DirectoryError> {
    operator.query_opt(BY_ID, &[&PgTenantId(id)]).await?.as_ref().map(record).transpose()
}

/// The record of the tenant that has this slug, in whatever state.
///
/// # Errors
///
/// As [`tenant`].
pub async fn tenant_by_slug(
    operator: &impl GenericClient,
    slug: TenantSlug,
) -> Result<Option<TenantRecord>, DirectoryError> {
    operator.query_opt(BY_SLUG, &[&slug.as_str()]).await?.as_ref().map(record).transpose()
}

/// A page of all tenants, by their ids: the first `limit` of those that come after one.
///
/// ```no_run
/// # async fn example(operator: &tokio_postgres::Client) -> Result<(), tenancy_postgres::DirectoryError> {
/// let mut last = None;
/// loop {
///     let page = tenancy_postgres::tenants(operator, last, 1_000).await?;
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
/// As [`tenant`].
pub async fn tenants(
    operator: &impl GenericClient,
    after: Option<TenantId>,
    limit: u32,
) -> Result<Vec<TenantRecord>, DirectoryError> {
    let after = after.map(PgTenantId);
    operator.query(PAGE, &[&after, &i64::from(limit)]).await?.iter().map(record).collect()
}

/// How many rows an update of one tenant touched.
pub(crate) fn found(updated: u64, tenant: TenantId) -> Result<(), DirectoryError> {
    if updated == 0 { Err(TenantNotFoundError::new(tenant).into()) } else { Ok(()) }
}

pub(crate) fn record(row: &Row) -> Result<TenantRecord, DirectoryError> {
    build(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)
}

/// Builds a record from the columns of a row.
pub(crate) fn build(
    PgTenantId(id): PgTenantId,
    slug: &str,
    status: &str,
) -> Result<TenantRecord, DirectoryError> {
    let slug = TenantSlug::parse(slug).map_err(|_| DirectoryError::Row)?;
    let status = TenantStatus::from_name(status).ok_or(DirectoryError::Row)?;
    Ok(TenantRecord::new(id, slug, status))
}
