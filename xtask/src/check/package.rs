//! The packages as they are published, and their dependencies.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use cargo_metadata::Package;

use crate::process::{Step, cargo, target};
use crate::report::Report;
use crate::tools;
use crate::workspace::published;

/// Files that every package contains.
const FILES: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

pub(super) fn check(report: &mut Report) {
    let mut packages = Vec::new();
    report.step("packages build from their archives", || {
        packages = published()?;
        let names = packages.iter().flat_map(|package| ["-p", package.name.as_str()]);
        // One command, so that a package finds those that it depends on, which are not published yet.
        cargo(&["package", "--quiet", "--allow-dirty"]).args(&names.collect::<Vec<_>>()).run()
    });
    for package in &packages {
        report.step(&format!("files of {}", package.name), || contains_files(package));
    }
    report.step("licences, sources and duplicates of dependencies", || {
        tools::DENY.command()?.args(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]).run()
    });
    report.step("security advisories", advisories);
    report.step("unused dependencies", || tools::SHEAR.command()?.run());
}

fn contains_files(package: &Package) -> Result<()> {
    let name = format!("{}-{}", package.name, package.version);
    let archive = target().join("package").join(format!("{name}.crate"));
    let listed = Step::new("tar").arg("-tf").arg(&archive).output()?;
    let listed: BTreeSet<_> =
        listed.lines().filter_map(|line| line.strip_prefix(&name)?.strip_prefix('/')).collect();
    let missing: Vec<_> = FILES.into_iter().filter(|file| !listed.contains(file)).collect();
    ensure!(missing.is_empty(), "{} does not contain {}", archive.display(), missing.join(", "));
    Ok(())
}

/// Checks the advisories if their database can be fetched, which needs the internet.
fn advisories() -> Result<()> {
    if let Err(error) = tools::DENY.command()?.args(&["fetch", "db"]).run() {
        println!("    NOT CHECKED: the database of advisories cannot be fetched: {error:#}");
        return Ok(());
    }
    let check = ["check", "--disable-fetch", "--hide-inclusion-graph", "advisories"];
    tools::DENY.command()?.args(&check).run().context("a dependency has a known vulnerability")
}
