//! The packages as they are published, and their dependencies.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use cargo_metadata::Package;

use super::archives;
use crate::process::Step;
use crate::report::Report;
use crate::tools;

/// Files that every package contains.
const FILES: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

pub(super) fn check(report: &mut Report) {
    report.step("archives of the packages contain licences and documents", || {
        archives::create()?.iter().try_for_each(contains_files)
    });
    report.step("licences, sources and duplicates of dependencies", || {
        let check = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
        deny()?.args(&check).run()
    });
    report.step("security advisories", advisories);
    report.step("unused dependencies", || tools::SHEAR.command()?.run());
}

/// Without `--workspace`, cargo-deny checks the dependencies of the root package alone.
fn deny() -> Result<Step> {
    Ok(tools::DENY.command()?.arg("--workspace"))
}

fn contains_files(package: &Package) -> Result<()> {
    let archive = archives::path(package);
    let listed = Step::new("tar").arg("-tf").arg(&archive).output()?;
    let folder = archives::name(package) + "/";
    let listed: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_prefix(folder.as_str())).collect();
    let missing: Vec<_> = FILES.into_iter().filter(|file| !listed.contains(file)).collect();
    ensure!(missing.is_empty(), "{} does not contain {}", archive.display(), missing.join(", "));
    Ok(())
}

/// Checks the advisories if their database can be fetched, which needs the internet.
fn advisories() -> Result<()> {
    if let Err(error) = deny()?.args(&["fetch", "db"]).run() {
        println!("    NOT CHECKED: the database of advisories cannot be fetched: {error:#}");
        return Ok(());
    }
    let check = ["check", "--disable-fetch", "--hide-inclusion-graph", "advisories"];
    deny()?.args(&check).run().context("a dependency has a known vulnerability")
}
