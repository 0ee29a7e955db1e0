//! The statements on the table of tenants, and their parameters and rows.

use postgres_types::ToSql;
use tenancy::{TenantId, TenantNotFoundError, TenantRecord, TenantSlug, TenantStatus};
use tokio_postgres::GenericClient;

use super::error::DirectoryError;
use crate::id::PgTenantId;

/// One statement with its parameters.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    Create(&'a TenantRecord),
    SetStatus(TenantId, TenantStatus),
    Get(TenantId),
    BySlug(TenantSlug),
    List { after: Option<TenantId>, limit: u32 },
}

/// What runs the statements. It is public only because it bounds a public type.
pub trait Connection {
    /// Runs a statement, and returns the records that it read.
    fn run(
        &mut self,
        call: Call<'_>,
    ) -> impl Future<Output = Result<Vec<TenantRecord>, DirectoryError>> + Send;
}

impl<C: GenericClient + Sync> Connection for &C {
    async fn run(&mut self, call: Call<'_>) -> Result<Vec<TenantRecord>, DirectoryError> {
        run_on(*self, call).await
    }
}

impl Call<'_> {
    /// Returns the SQL. Names and operators are qualified, because a session can have a `search_path` of its own.
    pub(crate) fn sql(&self) -> &'static str {
        match self {
            Self::Create(_) => "INSERT INTO tenancy.tenants (id, slug, status) VALUES ($1, $2, $3)",
            Self::SetStatus(..) => {
                "UPDATE tenancy.tenants SET status = $2 WHERE id OPERATOR(pg_catalog.=) $1"
            }
            Self::Get(_) => "SELECT id, slug, status FROM tenancy.tenants WHERE id OPERATOR(pg_catalog.=) $1",
            Self::BySlug(_) => {
                "SELECT id, slug, status FROM tenancy.tenants WHERE slug OPERATOR(pg_catalog.=) $1"
            }
            // The nil id is not valid, and precedes all others.
            Self::List { .. } => {
                "SELECT id, slug, status FROM tenancy.tenants WHERE id OPERATOR(pg_catalog.>) \
                 COALESCE($1, '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid) ORDER BY id LIMIT $2"
            }
        }
    }

    pub(crate) fn params(&self) -> Vec<Box<dyn ToSql + Sync + Send>> {
        match *self {
            Self::Create(record) => vec![
                Box::new(PgTenantId(record.id())),
                Box::new(record.slug().as_str().to_owned()),
                Box::new(record.status().as_str()),
            ],
            Self::SetStatus(tenant, status) => vec![Box::new(PgTenantId(tenant)), Box::new(status.as_str())],
            Self::Get(tenant) => vec![Box::new(PgTenantId(tenant))],
            Self::BySlug(slug) => vec![Box::new(slug.as_str().to_owned())],
            Self::List { after, limit } => vec![Box::new(after.map(PgTenantId)), Box::new(i64::from(limit))],
        }
    }

    /// Returns the tenant that the statement writes, if it writes one.
    pub(crate) fn written(&self) -> Option<TenantId> {
        match *self {
            Self::Create(record) => Some(record.id()),
            Self::SetStatus(tenant, _) => Some(tenant),
            Self::Get(_) | Self::BySlug(_) | Self::List { .. } => None,
        }
    }

    /// Checks the number of rows that a statement wrote.
    pub(crate) fn check(&self, affected: u64) -> Result<(), DirectoryError> {
        match *self {
            Self::SetStatus(tenant, _) if affected == 0 => Err(TenantNotFoundError::new(tenant).into()),
            _ => Ok(()),
        }
    }

    /// Returns the name of the action in the operator's log.
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_tenant",
            Self::SetStatus(..) => "set_tenant_status",
            Self::Get(_) => "tenant",
            Self::BySlug(_) => "tenant_by_slug",
            Self::List { .. } => "tenants",
        }
    }

    /// Returns the object of the action in the operator's log.
    pub(crate) fn object(&self) -> String {
        match self {
            Self::Create(record) => format!("{} {}", record.id(), record.slug()),
            Self::SetStatus(tenant, status) => format!("{tenant} {}", status.as_str()),
            Self::Get(tenant) => tenant.to_string(),
            Self::BySlug(slug) => slug.to_string(),
            Self::List { after, .. } => after.map(|tenant| format!("after {tenant}")).unwrap_or_default(),
        }
    }
}

/// Runs a statement on a client or a transaction of `tokio-postgres`.
pub(crate) async fn run_on<C: GenericClient + Sync>(
    client: &C,
    call: Call<'_>,
) -> Result<Vec<TenantRecord>, DirectoryError> {
    let params = call.params();
    let params: Vec<&(dyn ToSql + Sync)> =
        params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
    if call.written().is_some() {
        call.check(client.execute(call.sql(), &params).await?)?;
        return Ok(Vec::new());
    }
    let rows = client.query(call.sql(), &params).await?;
    rows.iter().map(|row| build(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)).collect()
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
