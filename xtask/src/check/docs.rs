//! Documentation: that of the crates, and the Markdown files of the repository.

mod commands;
mod markdown;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{Step, cargo, find, target};
use crate::report::Report;
use crate::tools;

const DEVICE: &str = "thumbv7em-none-eabihf";

pub(super) fn check(report: &mut Report) {
    report.step("documentation of the crates", crates);
    report.step(&format!("documentation of the core for {DEVICE}"), device);
    report.step("links in Markdown files", links);
    report.step("Rust examples in Markdown files are compiled", markdown::rust_is_compiled);
    report.step("commands in Markdown files exist", commands::exist);
}

/// Builds the documentation as the documentation service does, without warnings.
fn crates() -> Result<()> {
    cargo(&["doc", "--quiet", "--workspace", "--all-features", "--no-deps"])
        .env("RUSTDOC", rustdoc()?)
        .env("RUSTDOCFLAGS", "--cfg docsrs -D warnings")
        .run()
}

/// Builds the documentation of the core with the features of firmware, without warnings.
fn device() -> Result<()> {
    Step::new("rustup").args(&["target", "add", DEVICE]).run()?;
    cargo(&["doc", "--quiet", "-p", "tenancy", "--lib", "--no-deps", "--target", DEVICE])
        .args(&["--features", "custom-cell,defmt,serde,stream"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

/// Writes a program that runs rustdoc with unstable features, which `doc(cfg)` needs.
///
/// The variable is not set for cargo itself, because that would change how some dependencies are built.
fn rustdoc() -> Result<PathBuf> {
    let real = Step::new("rustc").args(&["--print", "sysroot"]).output().ok();
    let real =
        real.map(|folder| PathBuf::from(folder.trim()).join("bin/rustdoc")).filter(|file| file.is_file());
    let real = real.or_else(|| find("rustdoc")).context("rustdoc is not installed")?;
    let folder = target().join("tools/bin");
    fs::create_dir_all(&folder)?;
    let program = folder.join("rustdoc-unstable");
    fs::write(&program, format!("#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec '{}' \"$@\"\n", real.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// Checks the relative links of all Markdown files, and the fragments in them. Links to other hosts are not followed.
fn links() -> Result<()> {
    let options = ["--offline", "--include-fragments", "--no-progress", "--root-dir"];
    tools::LYCHEE.command()?.args(&options).arg(crate::process::root()).args(&markdown::files()?).run()
}
