//! The dependencies of the core, its other systems, and each feature of the published packages alone.

use anyhow::{Result, ensure};

use crate::process::{Step, cargo, root};
use crate::report::Report;
use crate::tools;
use crate::workspace::{DOCUMENT_FEATURES, folder, published};

/// The packages that the core may consist of when no feature is enabled.
const CORE: [&str; 7] =
    ["tenancy", "heapless", "hash32", "byteorder", "stable_deref_trait", "uuid", "critical-section"];

/// Systems on which no test runs.
const SYSTEMS: [&str; 3] = ["aarch64-apple-darwin", "aarch64-linux-android", "wasm32-unknown-unknown"];

pub(super) fn check(report: &mut Report) {
    report.step("the core depends only on the packages that it declares", core_dependencies);
    for system in SYSTEMS {
        report.step(&format!("core for {system}"), || core_for(system));
    }
    report.step("each feature alone", each_feature);
}

/// Compiles the core for a system, without features and with those of a host.
fn core_for(system: &str) -> Result<()> {
    Step::new("rustup").args(&["target", "add", system]).run()?;
    for features in ["", "std", "tokio,serde,stream,tracing"] {
        let check =
            ["check", "--quiet", "-p", "tenancy", "--lib", "--target", system, "--features", features];
        cargo(&check).run()?;
    }
    Ok(())
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

/// Compiles each published package without features, and with each feature alone.
///
/// `--no-dev-deps` is not needed: without tests and examples, the development dependencies of a package do not enable
/// features of its dependencies (since resolver 2). The option would rewrite manifests while other programs read them.
fn each_feature() -> Result<()> {
    let packages = published()?;
    let mut skipped = vec![DOCUMENT_FEATURES];
    // Without members, `default` is the same as no feature.
    if packages.iter().all(|package| package.features.get("default").is_none_or(Vec::is_empty)) {
        skipped.push("default");
    }
    // For the root package cargo-hack 0.6 does not pass `-p`, and cargo would take the default members of the workspace.
    let (core, members): (Vec<_>, Vec<_>) = packages.iter().partition(|package| folder(package) == root());
    for feature in core.iter().flat_map(|package| package.features.keys()).map(String::as_str).chain([""]) {
        if !skipped.contains(&feature) {
            cargo(&["check", "--quiet", "-p", "tenancy", "--no-default-features", "--features", feature])
                .run()?;
        }
    }
    let members = members.iter().flat_map(|package| ["-p", package.name.as_str()]);
    tools::HACK
        .command()?
        .args(&["check", "--quiet", "--each-feature", "--exclude-features", &skipped.join(",")])
        .args(&members.collect::<Vec<_>>())
        .run()
}
