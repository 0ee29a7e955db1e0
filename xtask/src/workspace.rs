//! The packages of the workspace, as `cargo metadata` describes them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Metadata, Package};

use crate::process::{cargo, root};

/// The feature that only enables the documentation of features.
pub(crate) const DOCUMENT_FEATURES: &str = "document-features";

/// Returns the packages of the workspace at this manifest, without their dependencies.
pub(crate) fn packages(manifest: &Path) -> Result<Vec<Package>> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--manifest-path"];
    let printed = cargo(&arguments).arg(manifest).output()?;
    let metadata: Metadata = serde_json::from_str(&printed).context("cannot read cargo's metadata")?;
    Ok(metadata.packages)
}

/// Returns the packages of the main workspace.
pub(crate) fn members() -> Result<Vec<Package>> {
    packages(&root().join("Cargo.toml"))
}

/// Returns the packages that are published, each after the packages that it depends on.
pub(crate) fn published() -> Result<Vec<Package>> {
    let members = members()?;
    let mut waiting: Vec<_> = members.iter().filter(|package| is_published(package)).collect();
    let mut ordered: Vec<Package> = Vec::new();
    while !waiting.is_empty() {
        let needs_other = |package: &Package| {
            let mut needed = package.dependencies.iter().filter(|dependency| is_packaged(dependency));
            needed.any(|needed| {
                waiting.iter().any(|other| *other.name == needed.name && other.name != package.name)
            })
        };
        let (later, now): (Vec<_>, Vec<_>) =
            waiting.iter().copied().partition(|package| needs_other(package));
        ensure!(!now.is_empty(), "published packages depend on each other in a circle");
        ordered.extend(now.into_iter().cloned());
        waiting = later;
    }
    ensure!(!ordered.is_empty(), "no package is published");
    Ok(ordered)
}

/// A dependency without a version is one for tests, and is removed from the published manifest.
fn is_packaged(dependency: &cargo_metadata::Dependency) -> bool {
    dependency.path.is_some() && !dependency.req.comparators.is_empty()
}

fn is_published(package: &Package) -> bool {
    // An empty list is `publish = false`.
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}

/// Returns the folder of a package.
pub(crate) fn folder(package: &Package) -> PathBuf {
    package.manifest_path.parent().map_or_else(PathBuf::new, |folder| folder.as_std_path().to_owned())
}

/// Returns the files with this extension below a folder, without build results and hidden folders.
pub(crate) fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.canonicalize()?];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_ours = name == ".github" || !(name.starts_with('.') || name == "target" || name == "data");
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
