//! The servers and clients that tests start. This module only installs them.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::packages::{self, need};
use crate::process;

/// Debian stores the programs of each Postgres version here, outside the search path.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Installs a Redis server if it is missing.
pub(crate) fn need_redis() -> Result<()> {
    need("redis-server", &["redis-server"], "the server of tenancy-redis")
}

/// Installs a Postgres server and a connection pooler if they are missing.
pub(crate) fn need_postgres() -> Result<()> {
    need("pgbouncer", &["pgbouncer"], "a transaction pooler in front of Postgres")?;
    if has_postgres() {
        return Ok(());
    }
    packages::install(&["postgresql"], "the server of tenancy-postgres")?;
    ensure!(has_postgres(), "the package postgresql does not contain `initdb`");
    Ok(())
}

/// Installs curl and Chromium if they are missing.
pub(crate) fn need_clients() -> Result<()> {
    need("curl", &["curl"], "an HTTP client from outside this project")?;
    need("chromium", &["chromium"], "a browser for the gateway's page")
}

fn has_postgres() -> bool {
    let has_initdb = |version: &Path| version.join("bin/initdb").exists();
    process::is_installed("initdb")
        || fs::read_dir(DEBIAN_POSTGRES)
            .is_ok_and(|versions| versions.flatten().any(|version| has_initdb(&version.path())))
}
