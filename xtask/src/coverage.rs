//! `cargo xtask coverage`: the line coverage of each published package by the tests of the published packages.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cargo_metadata::Package;
use serde_json::Value;

use crate::cost::installing;
use crate::process::{Step, is_installed};
use crate::servers::{need_clients, need_postgres, need_redis};
use crate::tools;
use crate::workspace::{folder, published};

/// The coverage that each package should reach, in percent.
const TARGET: f64 = 90.0;

/// The coverage below which the command fails, in percent.
const LIMIT: f64 = 85.0;

pub(crate) fn run() -> Result<()> {
    need_redis()?;
    need_postgres()?;
    need_clients()?;
    need_llvm()?;
    let published = published()?;
    let packages: Vec<_> = published.iter().flat_map(|package| ["-p", package.name.as_str()]).collect();
    let tests = ["nextest", "--profile", "nightly", "--all-features", "--run-ignored", "all", "--no-report"];
    // The plugin starts `cargo nextest`, which is not on the search path if it was installed by this program.
    let path = tools::NEXTEST.search_path()?;
    tools::LLVM_COV.command()?.args(&tests).args(&packages).env("PATH", path).run()?;
    let report =
        tools::LLVM_COV.command()?.args(&["report", "--json", "--summary-only"]).args(&packages).output()?;
    let report: Value = serde_json::from_str(&report).context("cannot read the coverage report")?;
    print(&by_package(&report, &published)?)
}

/// Covered and existing lines.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    covered: u64,
    all: u64,
}

impl Lines {
    #[expect(clippy::cast_precision_loss, reason = "a package has fewer than 2^52 lines")]
    fn percent(self) -> f64 {
        100.0 * self.covered as f64 / self.all as f64
    }
}

fn by_package(report: &Value, packages: &[Package]) -> Result<BTreeMap<String, Lines>> {
    let files = report["data"][0]["files"].as_array().context("the report has no files")?;
    let mut lines = BTreeMap::new();
    for package in packages {
        let sources = folder(package).join("src");
        let own: &mut Lines = lines.entry(package.name.to_string()).or_default();
        for file in files {
            let name = file["filename"].as_str().context("a file of the report has no name")?;
            if Path::new(name).starts_with(&sources) {
                let figure =
                    |name: &str| file["summary"]["lines"][name].as_u64().context("a file has no lines");
                own.covered += figure("covered")?;
                own.all += figure("count")?;
            }
        }
        ensure!(own.all > 0, "the report contains no line of {}", package.name);
    }
    Ok(lines)
}

fn print(packages: &BTreeMap<String, Lines>) -> Result<()> {
    println!("\n| package | lines | covered | target {TARGET} % |\n| --- | --- | --- | --- |");
    for (name, lines) in packages {
        let verdict = if lines.percent() >= TARGET { "met" } else { "not met" };
        println!("| {name} | {} | {:.1} % | {verdict} |", lines.all, lines.percent());
    }
    let low: Vec<_> =
        packages.iter().filter(|(_, lines)| lines.percent() < LIMIT).map(|(name, _)| &**name).collect();
    ensure!(low.is_empty(), "line coverage below {LIMIT} %: {}", low.join(", "));
    Ok(())
}

/// Installs the coverage tools of the compiler if they are missing.
fn need_llvm() -> Result<()> {
    ensure!(is_installed("rustup"), "rustup is needed for the component llvm-tools");
    let installed = Step::new("rustup").args(&["component", "list", "--installed"]).output()?;
    if installed.lines().any(|line| line.starts_with("llvm-tools")) {
        return Ok(());
    }
    installing("llvm-tools", || Step::new("rustup").args(&["component", "add", "llvm-tools"]).run())
}
