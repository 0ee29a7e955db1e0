//! The store of tenants in Postgres.

use std::pin::Pin;

use tenancy::{TenantId, TenantRecord, TenantStatus};
use tenancy_postgres::{DirectoryError, PgDirectory};
use tokio::time::timeout;

use super::error::{MOST_TENANTS, TenantsError};
use crate::database::LONGEST;

/// Limits the time of a query. The future is boxed, so that futures are small without a database.
pub(super) fn ask<'a, T>(
    question: impl Future<Output = Result<T, DirectoryError>> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<T, TenantsError>> + Send + 'a>> {
    let answer = timeout(LONGEST, question);
    Box::pin(async { Ok(answer.await.unwrap_or(Err(DirectoryError::Timeout))?) })
}

pub(super) async fn list(
    directory: &PgDirectory,
    after: Option<TenantId>,
    limit: usize,
) -> Result<Vec<TenantRecord>, TenantsError> {
    ask(directory.tenants().list(after, u32::try_from(limit).unwrap_or(u32::MAX))).await
}

/// Creates a tenant. Instances that create tenants concurrently can exceed the maximum by a few.
pub(super) async fn create(directory: &PgDirectory, record: TenantRecord) -> Result<(), TenantsError> {
    let is_full = list(directory, None, MOST_TENANTS).await?.len() >= MOST_TENANTS;
    if is_full { Err(TenantsError::Full) } else { ask(directory.tenants().create(&record)).await }
}

pub(super) async fn set_status(
    directory: &PgDirectory,
    id: TenantId,
    status: TenantStatus,
) -> Result<TenantRecord, TenantsError> {
    ask(directory.tenants().set_status(id, status)).await?;
    ask(directory.tenants().get(id)).await?.ok_or(TenantsError::Unknown)
}

impl From<DirectoryError> for TenantsError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::IdTaken | DirectoryError::SlugTaken => Self::Taken,
            DirectoryError::NotFound(_) => Self::Unknown,
            DirectoryError::Deleted => Self::Deleted,
            error if is_transient(&error) => {
                tracing::warn!(%error, "tenant database failed");
                Self::Unavailable
            }
            error => Self::Store(error),
        }
    }
}

fn is_transient(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Shared | DirectoryError::Timeout => true,
        DirectoryError::Database(error) => error.is_transient(),
        _ => false,
    }
}
