//! The store of tenants in the platform's file.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rusqlite::{Row, params};
use tenancy::{
    TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId, TenantRecord, TenantSlug,
    TenantStatus,
};
use tenancy_sqlite::{Error, TenantFiles, TenantTx};
use tokio::sync::Mutex;
use tokio::task::JoinError;

use super::error::TenantsError;
use super::memory::MemoryTenants;
use crate::files;

/// All tenants in a file, and in memory, from where requests read them. Only one process uses the file.
pub(super) struct FileTenants {
    pub(super) memory: MemoryTenants,
    files: TenantFiles,
    /// Serializes changes. Each is written to the file first, and then visible.
    changes: Mutex<()>,
}

impl FileTenants {
    /// Opens a file, and adds tenants that it does not contain. Existing records are not changed.
    pub(super) fn open(files: TenantFiles, records: &[TenantRecord]) -> Result<Self> {
        let read = || {
            files.write(|tx| {
                for record in records {
                    add(tx, record)?;
                }
                Ok::<_, anyhow::Error>(tx.query("SELECT id, slug, status FROM tenants", [], record)?)
            })
        };
        let kept: Vec<TenantRecord> =
            TenantContext::scope(TenantId::PLATFORM, read).context("cannot use the tenants file")?;
        for record in records.iter().filter(|record| !kept.contains(record)) {
            tracing::warn!(tenant.id = %record.id(), "tenant record differs from tenants file; using file");
        }
        Ok(Self { memory: MemoryTenants::new(kept), files, changes: Mutex::default() })
    }

    pub(super) async fn create(self: &Arc<Self>, record: TenantRecord) -> Result<(), TenantsError> {
        let this = Arc::clone(self);
        whole(async move {
            let _changes = this.changes.lock().await;
            this.memory.check(&record)?;
            this.keep(record).await?;
            this.memory.create(record)
        })
        .await
    }

    pub(super) async fn set_status(
        self: &Arc<Self>,
        id: TenantId,
        status: TenantStatus,
    ) -> Result<TenantRecord, TenantsError> {
        let this = Arc::clone(self);
        whole(async move {
            let _changes = this.changes.lock().await;
            let record = this.memory.changed(id, status)?;
            this.keep(record).await?;
            this.memory.set_status(id, status)
        })
        .await
    }

    async fn keep(&self, record: TenantRecord) -> Result<(), TenantsError> {
        const SQL: &str = "INSERT INTO tenants (id, slug, status) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        let keep = move |files: &TenantFiles| {
            files.write(|tx| {
                let (slug, status) = (record.slug(), record.status().as_str());
                tx.execute(SQL, params![record.id().as_bytes(), slug.as_str(), status]).map(|_| ())
            })
        };
        let kept: Result<(), Failed> =
            files::work(&self.files, move |files| Ok(keep(files)?)).in_tenant(TenantId::PLATFORM).await;
        kept.map_err(|Failed(error)| error)
    }
}

/// Completes a change even if its caller is gone. Otherwise it could be in the file only.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, TenantsError>> + Send + 'static,
) -> Result<T, TenantsError> {
    let changed = tokio::spawn(change.in_own_context());
    changed.await.unwrap_or_else(|error| Err(TenantsError::File(error.into())))
}

/// Adds a tenant unless it exists.
fn add(tx: &TenantTx<'_>, record: &TenantRecord) -> Result<()> {
    let (id, slug) = (record.id(), record.slug());
    let holder = "SELECT EXISTS (SELECT 1 FROM tenants WHERE slug = ?1 AND id <> ?2)";
    let is_taken: bool = tx.query_row(holder, params![slug.as_str(), id.as_bytes()], |row| row.get(0))?;
    ensure!(!is_taken, "slug {slug} of tenant {id} belongs to another tenant in the tenants file");
    tx.execute(
        "INSERT INTO tenants (id, slug, status) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
        params![id.as_bytes(), slug.as_str(), record.status().as_str()],
    )?;
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<TenantRecord> {
    let (slug, status): (String, String) = (row.get(1)?, row.get(2)?);
    let read = || {
        let id = TenantId::from_bytes(row.get(0).ok()?).ok()?;
        Some(TenantRecord::new(id, TenantSlug::parse(&slug).ok()?, TenantStatus::from_name(&status)?))
    };
    read().ok_or(rusqlite::Error::InvalidQuery)
}

/// An error of a change.
struct Failed(TenantsError);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => {
                tracing::error!(%error, "tenants file is busy");
                Self(TenantsError::Unavailable)
            }
            Error::Full => {
                tracing::error!("cannot store a tenant: disk is full");
                Self(TenantsError::NoRoom)
            }
            error => Self(TenantsError::File(error.into())),
        }
    }
}

impl From<JoinError> for Failed {
    fn from(error: JoinError) -> Self {
        Self(TenantsError::File(error.into()))
    }
}

impl From<TenantContextNotSetError> for Failed {
    fn from(error: TenantContextNotSetError) -> Self {
        Self(TenantsError::File(error.into()))
    }
}

/// Shows the number of tenants, and no tenant.
impl fmt::Debug for FileTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTenants").field("len", &self.memory.len()).finish_non_exhaustive()
    }
}
