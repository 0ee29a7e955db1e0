//! The folder where each tenant has a file: what things are kept in where nothing else is named.

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

/// Opens the folder, and makes it where it is not there.
///
/// # Errors
///
/// Where it can't be made or used, or another process has it: its name, and why.
pub fn open(folder: &Path) -> Result<TenantFiles> {
    let config = Config::new(folder).migrations(MIGRATIONS);
    TenantFiles::open(config).with_context(|| {
        format!("can't keep things in {}: --data DIR names another folder", folder.display())
    })
}

/// Whether a file would be in the folder by a name like those of the tenants' files: one may come to be there yet.
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

/// Work on the file of the current tenant, on a thread that may wait. Whether the caller still waits or not, it is done.
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
