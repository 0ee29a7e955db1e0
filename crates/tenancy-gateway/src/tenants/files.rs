//! Tenants in the platform's file.

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

use super::TenantsError;
use super::memory::MemoryTenants;
use crate::files;

/// All tenants as a file keeps them, and in memory, where each request looks: one process has the file.
pub(super) struct FileTenants {
    pub(super) memory: MemoryTenants,
    files: TenantFiles,
    /// One change after the other: in the file first, and then to be seen.
    changes: Mutex<()>,
}

impl FileTenants {
    /// Those of a file, and these where they are not in it yet: what has been changed there since stays.
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
            TenantContext::scope(TenantId::PLATFORM, read).context("the tenants' file")?;
        for record in records.iter().filter(|record| !kept.contains(record)) {
            let tenant = record.id();
            tracing::warn!(%tenant, "is otherwise in the tenants' file than in the list of tenants: the file counts");
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

/// A change that is begun is done, though nobody waits for it any more: else it could be in the file alone.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, TenantsError>> + Send + 'static,
) -> Result<T, TenantsError> {
    let changed = tokio::spawn(change.in_own_context());
    changed.await.unwrap_or_else(|error| Err(TenantsError::File(error.into())))
}

/// Adds a tenant that is not there yet.
fn add(tx: &TenantTx<'_>, record: &TenantRecord) -> Result<()> {
    let (id, slug) = (record.id(), record.slug());
    let holder = "SELECT EXISTS (SELECT 1 FROM tenants WHERE slug = ?1 AND id <> ?2)";
    let is_taken: bool = tx.query_row(holder, params![slug.as_str(), id.as_bytes()], |row| row.get(0))?;
    ensure!(
        !is_taken,
        "the slug {slug} is another tenant's there than {id}, whose it is in the list of tenants"
    );
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

/// Why the file does not keep a change.
struct Failed(TenantsError);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            error if error.is_transient() => {
                tracing::error!(%error, "the tenants' file");
                Self(TenantsError::Unavailable)
            }
            Error::Full => {
                tracing::error!("there is no room for tenants: the disk is full");
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

/// Shows how many there are, and none of them.
impl fmt::Debug for FileTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTenants").field("len", &self.memory.len()).finish_non_exhaustive()
    }
}
