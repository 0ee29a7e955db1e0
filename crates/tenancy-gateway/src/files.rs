//! The folder with a SQLite file for each tenant: the default store.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, Result};
use tenancy::{TenantContext, TenantContextNotSetError};
use tenancy_agents::store::sqlite::SCHEMA;
use tenancy_sqlite::{Config, Error, Migration, TenantFiles};
use tokio::task::{JoinError, spawn_blocking};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "agents", sql: SCHEMA },
    Migration { version: 2, name: "notes and tenants", sql: include_str!("../sql/files.sql") },
];

/// Opens the folder, and creates it if it does not exist. Keeps at most `max_open` files open.
///
/// # Errors
///
/// If the folder cannot be created or used, or if another process uses it.
pub fn open(folder: &Path, max_open: NonZeroUsize) -> Result<TenantFiles> {
    let config = Config::new(folder).migrations(MIGRATIONS).max_open(max_open);
    TenantFiles::open(config).with_context(|| {
        format!("cannot use the folder {}: --data DIR selects another one", folder.display())
    })
}

/// Returns whether a file would be in the folder, with a name like those of tenants' files.
pub fn is_like_a_tenants(folder: &Path, file: &Path) -> bool {
    if !file.file_name().is_some_and(|name| name.to_string_lossy().contains(".sqlite")) {
        return false;
    }
    let parent = file.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    match (folder.canonicalize(), parent.canonicalize()) {
        (Ok(folder), Ok(parent)) => parent == folder,
        _ => false,
    }
}

/// Runs a function on the current tenant's file, on a thread that may block. It is completed even if the caller is gone.
pub(crate) async fn work<T, E>(
    files: &TenantFiles,
    work: impl FnOnce(&TenantFiles) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + From<JoinError> + From<TenantContextNotSetError> + Send + 'static,
{
    TenantContext::get()?;
    let files = files.clone();
    spawn_blocking(TenantContext::bind(move || work(&files))).await?
}
