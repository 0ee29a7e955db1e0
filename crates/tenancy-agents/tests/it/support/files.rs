//! Agents in SQLite files.

use std::path::Path;

use tempfile::TempDir;
use tenancy_agents::SqliteStore;
use tenancy_agents::store::sqlite::SCHEMA;
use tenancy_sqlite::{Config, Migration, TenantFiles};

const MIGRATIONS: &[Migration] = &[Migration { version: 1, name: "agents", sql: SCHEMA }];

/// Returns the configuration of the tenants' files in a folder.
pub(crate) fn config(folder: &Path) -> Config {
    Config::new(folder).migrations(MIGRATIONS)
}

/// Returns a store in a new folder, which exists as long as the second value.
pub(crate) fn sqlite_store() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TenantFiles::open(config(&folder.path().join("tenants")));
    (SqliteStore::new(files.expect("files")), folder)
}
