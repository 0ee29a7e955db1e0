//! The published packages on the oldest Rust version that they support.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Package;

use crate::cost::installing;
use crate::process::{Step, is_installed, target};
use crate::report::Report;
use crate::workspace::{DOCUMENT_FEATURES, published};

/// The table in `[package.metadata]` that names features which need a newer Rust version than their package.
const NEWER: &str = "rust-version-of-features";

pub(super) fn check(report: &mut Report) {
    let mut versions = BTreeMap::new();
    report.step("the published packages have a rust-version", || {
        versions = by_version()?;
        Ok(())
    });
    for (version, packages) in &versions {
        report.step(&format!("Rust {version}"), || compile(version, packages));
    }
}

/// Compiles the features that need a newer Rust version than their package.
///
/// Their dependencies are many, so this is not part of the check.
pub(crate) fn newer_features() -> Result<()> {
    for package in published()? {
        for (feature, version) in newer(&package)? {
            let feature = format!("{}/{feature}", package.name);
            cargo(&version, &["-p", &package.name, "--no-default-features", "--features", &feature])?;
        }
    }
    Ok(())
}

fn by_version() -> Result<BTreeMap<String, Vec<Package>>> {
    let mut versions: BTreeMap<String, Vec<Package>> = BTreeMap::new();
    for package in published()? {
        let Some(version) = &package.rust_version else {
            bail!("{} has no rust-version in its manifest", package.name);
        };
        versions.entry(version.to_string()).or_default().push(package);
    }
    Ok(versions)
}

/// Compiles packages with all features, and without features if one of them has no dependencies in this workspace: its
/// users include firmware, which enables none.
fn compile(version: &str, packages: &[Package]) -> Result<()> {
    let mut arguments = vec!["--no-default-features".to_owned()];
    let mut features = BTreeSet::new();
    for package in packages {
        arguments.extend(["-p".to_owned(), package.name.to_string()]);
        let newer = newer(package)?;
        let names =
            package.features.keys().filter(|name| *name != DOCUMENT_FEATURES && !newer.contains_key(*name));
        features.extend(names.map(|name| format!("{}/{name}", package.name)));
    }
    let list = features.into_iter().collect::<Vec<_>>().join(",");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if packages.iter().any(|package| package.name == "tenancy") {
        cargo(version, &["-p", "tenancy"])?;
    }
    cargo(version, &[&arguments[..], &["--features", &list]].concat())
}

/// Returns the features that need a newer Rust version, with that version.
fn newer(package: &Package) -> Result<BTreeMap<String, String>> {
    let Some(table) = package.metadata.get(NEWER) else { return Ok(BTreeMap::new()) };
    let newer: BTreeMap<String, String> = serde_json::from_value(table.clone())
        .with_context(|| format!("invalid [package.metadata.{NEWER}]"))?;
    if let Some(unknown) = newer.keys().find(|name| !package.features.contains_key(*name)) {
        bail!("[package.metadata.{NEWER}] names `{unknown}`, which is not a feature of {}", package.name);
    }
    Ok(newer)
}

/// Runs `cargo check` of a Rust version, and keeps its results apart.
fn cargo(version: &str, arguments: &[&str]) -> Result<()> {
    toolchain(version)?;
    let step = Step::new("rustup").like_cargo().args(&["run", version, "cargo", "check", "--quiet"]);
    // Cargo sets these variables for the programs that it runs, and they would select its own toolchain.
    let step = ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"].into_iter().fold(step, Step::env_remove);
    step.args(arguments).env("CARGO_TARGET_DIR", target().join("oldest-rust")).run()
}

/// Installs a toolchain if it is missing.
fn toolchain(version: &str) -> Result<()> {
    ensure!(
        is_installed("rustup"),
        "rustup is not installed; it is needed to compile with Rust {version}, which a manifest promises to support"
    );
    let installed = Step::new("rustup").args(&["toolchain", "list"]).output()?;
    // A name is followed by `-` and the host.
    if installed.lines().any(|line| line.strip_prefix(version).is_some_and(|rest| rest.starts_with('-'))) {
        return Ok(());
    }
    installing(&format!("Rust {version}"), || {
        let install = ["toolchain", "install", version, "--profile", "minimal", "--no-self-update"];
        Step::new("rustup").args(&install).run()
    })
}
