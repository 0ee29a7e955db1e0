//! The archives of the published packages, as the registry would receive them.

use std::path::PathBuf;

use anyhow::Result;
use cargo_metadata::Package;

use crate::process::{cargo, target};
use crate::workspace::published;

/// Creates the archive of each published package. The part `msrv` compiles them.
pub(super) fn create() -> Result<Vec<Package>> {
    let packages = published()?;
    let names = packages.iter().flat_map(|package| ["-p", package.name.as_str()]);
    // One command for all: cargo then accepts dependencies that are in no registry yet.
    cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"]).args(&names.collect::<Vec<_>>()).run()?;
    Ok(packages)
}

/// Returns the name of the folder inside a package's archive.
pub(super) fn name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// Returns the path of a package's archive.
pub(super) fn path(package: &Package) -> PathBuf {
    target().join("package").join(name(package)).with_added_extension("crate")
}
