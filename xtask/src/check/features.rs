//! Dependencies and features of the published packages, each on the oldest Rust version that the package supports.
//!
//! A newer compiler accepts what an older one accepts, so a check of each feature on the package's `rust-version` covers
//! both the features and the version; the lints compile everything with the current compiler. Dependencies are checked
//! once instead of twice.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Package;

use crate::cost::installing;
use crate::process::{Step, cargo, is_installed, target};
use crate::report::Report;
use crate::tools;
use crate::workspace::{DOCUMENT_FEATURES, published};

/// The packages that the core may consist of when no feature is enabled.
const CORE: [&str; 7] =
    ["tenancy", "heapless", "hash32", "byteorder", "stable_deref_trait", "uuid", "critical-section"];

/// The table in `[package.metadata]` that names features which need a newer Rust version than their package.
const NEWER: &str = "rust-version-of-features";

pub(super) fn check(report: &mut Report) {
    report.step("the core depends only on the packages that it declares", core_dependencies);
    let mut packages = Vec::new();
    report.step("the published packages have a rust-version", || {
        packages = published()?;
        let without: Vec<_> = packages
            .iter()
            .filter(|package| package.rust_version.is_none())
            .map(|package| package.name.as_str())
            .collect();
        ensure!(without.is_empty(), "no rust-version in the manifest of {}", without.join(", "));
        Ok(())
    });
    for package in packages.iter().filter(|package| package.rust_version.is_some()) {
        report.step(&format!("features of {}", package.name), || each_feature(package));
    }
}

fn core_dependencies() -> Result<()> {
    let tree =
        cargo(&["tree", "-p", "tenancy", "-e", "normal", "--prefix", "none", "--no-dedupe"]).output()?;
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let name = line.split(' ').next().unwrap_or_default();
        ensure!(CORE.contains(&name), "without features the core depends on {name}");
    }
    Ok(())
}

/// Checks a package without features, with each feature alone, and with all features.
fn each_feature(package: &Package) -> Result<()> {
    let version = package.rust_version.as_ref().context("the package has a rust-version")?.to_string();
    let newer = newer_features(package)?;
    toolchain(&version)?;
    let skipped: Vec<_> = newer.keys().map(String::as_str).chain([DOCUMENT_FEATURES]).collect();
    // Without tests and examples, development dependencies do not enable any feature of a dependency.
    let hack = tools::HACK.command()?.args(&["check", "--quiet", "-p", &package.name]);
    let hack =
        hack.args(&["--each-feature", "--exclude-all-features", "--exclude-features", &skipped.join(",")]);
    on(hack, &version).run()?;
    let others: Vec<_> =
        package.features.keys().map(String::as_str).filter(|name| !skipped.contains(name)).collect();
    let all =
        ["check", "--quiet", "-p", &package.name, "--no-default-features", "--features", &others.join(",")];
    on(cargo_of(&version).args(&all), &version).run()?;
    for (feature, version) in &newer {
        toolchain(version)?;
        let alone = ["check", "--quiet", "-p", &package.name, "--no-default-features", "--features", feature];
        on(cargo_of(version).args(&alone), version).run()?;
    }
    Ok(())
}

/// Returns the features that need a newer Rust version, with that version.
fn newer_features(package: &Package) -> Result<BTreeMap<String, String>> {
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
        "rustup is not installed; it is needed to build with Rust {version}, which the manifest promises to support"
    );
    if Step::new("rustup").args(&["run", version, "rustc", "--version"]).output().is_ok() {
        return Ok(());
    }
    installing(&format!("Rust {version}"), || {
        let install = ["toolchain", "install", version, "--profile", "minimal", "--no-self-update"];
        Step::new("rustup").args(&install).run()
    })
}

fn cargo_of(version: &str) -> Step {
    Step::new("rustup").like_cargo().args(&["run", version, "cargo"])
}

/// Lets a command use a toolchain, and keeps its results apart.
fn on(command: Step, version: &str) -> Step {
    // Cargo sets these variables for the programs that it runs, and they would select its own toolchain.
    ["CARGO", "RUSTC", "RUSTDOC"]
        .into_iter()
        .fold(command, Step::env_remove)
        .env("RUSTUP_TOOLCHAIN", version)
        .env("CARGO_TARGET_DIR", target().join("oldest-rust"))
}
