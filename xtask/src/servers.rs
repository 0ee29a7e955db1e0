//! The servers and clients that tests start. This module only installs them.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::packages::{self, need};
use crate::process;

/// Debian stores the programs of each Postgres version here, outside the search path.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Debian stores the extensions of each Postgres version here.
const DEBIAN_EXTENSIONS: &str = "/usr/share/postgresql";

/// Installs a Redis server if it is missing.
pub(crate) fn need_redis() -> Result<()> {
    need("redis-server", &["redis-server"], "the server of tenancy-redis")
}

/// Installs a Postgres server with its extensions, and a connection pooler, if they are missing.
pub(crate) fn need_postgres() -> Result<()> {
    need("pgbouncer", &["pgbouncer"], "a transaction pooler in front of Postgres")?;
    if !has_postgres() {
        packages::install(&["postgresql"], "the server of tenancy-postgres")?;
        ensure!(has_postgres(), "the package postgresql does not contain `initdb`");
    }
    // The package of a server contains the other extensions that tests use.
    for version in debian_versions() {
        if !Path::new(DEBIAN_EXTENSIONS).join(&version).join("extension/plperl.control").exists() {
            packages::install(
                &[&format!("postgresql-plperl-{version}")],
                "a language with state in the session",
            )?;
        }
    }
    Ok(())
}

/// Installs curl and Chromium if they are missing.
pub(crate) fn need_clients() -> Result<()> {
    need("curl", &["curl"], "an HTTP client from outside this project")?;
    need("chromium", &["chromium"], "a browser for the gateway's page")
}

fn has_postgres() -> bool {
    process::is_installed("initdb") || !debian_versions().is_empty()
}

/// Returns the Postgres versions that are installed as packages of Debian.
fn debian_versions() -> Vec<String> {
    let folders = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten();
    let servers = folders.filter(|version| version.path().join("bin/initdb").exists());
    servers.filter_map(|version| version.file_name().into_string().ok()).collect()
}
