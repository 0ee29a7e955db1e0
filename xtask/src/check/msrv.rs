//! The published packages as their users compile them: from their archives, with the oldest Rust version that they
//! support.
//!
//! One build answers two questions: whether the archives are complete, and whether the versions are right. Like a user's
//! cargo it chooses dependencies that support the oldest version; `Cargo.lock` contains the newest ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Package;

use super::archives;
use crate::cost::installing;
use crate::process::{Step, is_installed, target};
use crate::report::Report;
use crate::workspace::{DOCUMENT_FEATURES, published};

/// The table in `[package.metadata]` that names features which need a newer Rust version than their package.
const NEWER: &str = "rust-version-of-features";

pub(super) fn check(report: &mut Report) {
    let mut versions = BTreeMap::new();
    if !report.step("unpack the archives, and choose dependencies", || {
        versions = by_version()?;
        unpack()
    }) {
        return;
    }
    for (version, packages) in &versions {
        report.step(&format!("packages with Rust {version}"), || compile(version, packages));
    }
}

/// Compiles the features that need a newer Rust version than their package.
///
/// Their dependencies are many, so this is not part of the check.
pub(crate) fn newer_features() -> Result<()> {
    unpack()?;
    for package in published()? {
        for (feature, version) in newer(&package)? {
            check_with(&version, &["-p", &package.name, "--no-default-features", "--features", &feature])?;
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

fn folder() -> PathBuf {
    target().join("archives")
}

/// Creates a workspace of the unpacked archives.
fn unpack() -> Result<()> {
    let packages = archives::create()?;
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut members = Vec::new();
    let mut patches = String::new();
    for package in &packages {
        Step::new("tar").arg("-xf").arg(archives::path(package)).arg("-C").arg(&folder).run()?;
        let name = archives::name(package);
        writeln!(patches, "{} = {{ path = {name:?} }}", package.name)?;
        members.push(name);
    }
    let manifest = format!(
        "[workspace]\nmembers = {members:?}\nresolver = \"3\"\n[profile.dev]\ndebug = false\n[patch.crates-io]\n{patches}"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let newest =
        by_version()?.into_keys().max_by_key(|version| version.split('.').nth(1)?.parse::<u32>().ok());
    let newest = newest.context("no package has a rust-version")?;
    // The variable overrides the configuration of this repository, which asks for the newest dependencies.
    cargo(&newest)?
        .arg("generate-lockfile")
        .env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback")
        .run()
}

/// Compiles packages with all features. The core is also compiled without features, as firmware uses it.
fn compile(version: &str, packages: &[Package]) -> Result<()> {
    let mut arguments = vec!["--no-default-features"];
    let mut features = BTreeSet::new();
    for package in packages {
        arguments.extend(["-p", package.name.as_str()]);
        let newer = newer(package)?;
        let names =
            package.features.keys().filter(|name| *name != DOCUMENT_FEATURES && !newer.contains_key(*name));
        features.extend(names.map(|name| format!("{}/{name}", package.name)));
    }
    let features = features.into_iter().collect::<Vec<_>>().join(",");
    if packages.iter().any(|package| package.name == "tenancy") {
        check_with(version, &["-p", "tenancy"])?;
    }
    check_with(version, &[&arguments[..], &["--features", &features]].concat())
}

/// Runs `cargo check` of a Rust version.
fn check_with(version: &str, arguments: &[&str]) -> Result<()> {
    // Nothing is linked, so SQLite need not be compiled from C.
    cargo(version)?
        .args(&["check", "--quiet"])
        .args(arguments)
        .env("LIBSQLITE3_SYS_USE_PKG_CONFIG", "1")
        .run()
}

/// Returns a command of the cargo of a Rust version, in the folder of the unpacked archives.
fn cargo(version: &str) -> Result<Step> {
    toolchain(version)?;
    let step = Step::new("rustup").like_cargo().current_dir(folder()).args(&["run", version, "cargo"]);
    // Cargo sets these variables for the programs that it runs, and they would select its own toolchain.
    let step = ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"].into_iter().fold(step, Step::env_remove);
    Ok(step.env("CARGO_TARGET_DIR", target().join("oldest-rust")))
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
