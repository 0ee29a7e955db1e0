//! A Postgres server and a pooler for the tests, which start their own.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::{packages, process};

/// Where Debian has the programs of each version, which are not on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Installs the server and the pooler if they are not there.
pub(crate) fn set_up() -> Result<()> {
    packages::need(
        "pgbouncer",
        &["pgbouncer"],
        "a transaction pooler between tenancy-postgres and its server",
    )?;
    if is_there() {
        return Ok(());
    }
    packages::install(&["postgresql"], "the server that tenancy-postgres is for")?;
    ensure!(is_there(), "postgresql came without `initdb`");
    Ok(())
}

fn is_there() -> bool {
    let has_initdb = |version: &Path| version.join("bin/initdb").exists();
    process::is_installed("initdb")
        || fs::read_dir(DEBIAN)
            .is_ok_and(|versions| versions.flatten().any(|version| has_initdb(&version.path())))
}
