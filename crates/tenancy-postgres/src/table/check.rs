//! Layer 4 for rows whose tenant columns the server does not describe as a table's.
//!
//! The column of a function's result, and an array of the tenant columns of embedded rows, belong to no table. This
//! crate's statements select them in a known place, and each value is compared with the tenant's id here.

use crate::wire::Row;
use tenancy::{TenantId, TenantMismatchError};
use uuid::Uuid;

use super::sql::{Checked, TableSql};
use crate::error::Error;

/// Verifies the last columns of each row, which are those of the statement's checks.
pub(super) fn rows(rows: &[Row], sql: &TableSql) -> Result<(), Error> {
    rows.iter().try_for_each(|row| {
        let first = row.len().checked_sub(sql.checks.len()).ok_or(Error::MissingTenantColumn)?;
        sql.checks.iter().zip(first..).try_for_each(|(checked, at)| match checked {
            Checked::Tenant => {
                let found = row.try_get::<_, Option<Uuid>>(at)?.ok_or(Error::MissingTenantColumn)?;
                verify(found, sql.tenant())
            }
            Checked::Optional => {
                row.try_get::<_, Option<Uuid>>(at)?.map_or(Ok(()), |found| verify(found, sql.tenant()))
            }
            Checked::Many => {
                let found = row.try_get::<_, Option<Vec<Option<Uuid>>>>(at)?.unwrap_or_default();
                found
                    .into_iter()
                    .try_for_each(|found| verify(found.ok_or(Error::MissingTenantColumn)?, sql.tenant()))
            }
        })
    })
}

fn verify(found: Uuid, tenant: TenantId) -> Result<(), Error> {
    if found.as_bytes() == tenant.as_bytes() {
        return Ok(());
    }
    match found.try_into() {
        Ok(found) => Err(TenantMismatchError::new(tenant, found).into()),
        // The nil id and the id of all ones belong to no tenant.
        Err(_) => Err(Error::MissingTenantColumn),
    }
}
