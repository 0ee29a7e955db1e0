//! Deliberate errors in the core and in a program. The programs must detect them, or their success proves nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::cross::Cross;
use super::program::Program;
use super::qemu;
use crate::process::{root, target};

/// The check that only the owner of a context sees its tenant, and its replacement without the check.
const OWNER_CHECK: [&str; 2] =
    ["if self.stamp.owner() == me { self.held } else { Held::NONE }", "{ let _ = me; self.held }"];

/// Removes the owner check of the cell: `interrupts` must detect the leak.
pub(crate) fn no_owner_check(cross: Cross) -> Result<()> {
    let copy = target().join("mutants/no-owner-check");
    fs::create_dir_all(&copy)?;
    // Cargo needs the manifests of all members of the workspace.
    for part in ["Cargo.toml", "build.rs", "README.md", "src", "crates", "benches", "examples", "xtask"] {
        // Fails if no earlier run has left a copy.
        let _ = fs::remove_dir_all(copy.join(part));
        copy_into(&root().join(part), &copy.join(part))?;
    }
    replace(&copy.join("src/context/slot.rs"), OWNER_CHECK)?;

    let program = Program::find("interrupts").context("the program is in the table")?;
    let folder = cross.build(
        &copy.join("examples/firmware"),
        program.target,
        &["-p", program.package, "--bin", program.name],
    )?;
    must_fail(&program, &folder.join(program.name), "foreign reads")
}

/// Shares one cell between two cores: `cores` must detect the leak.
pub(crate) fn one_cell(cross: Cross) -> Result<()> {
    let program = Program::find("cores").context("the program is in the table")?;
    let elf = program.build(cross, &["--features", "mutant-one-cell"])?;
    must_fail(&program, &elf, "wrong on core 0")
}

/// Checks that the program runs to its end, prints the count of leaks, and fails.
fn must_fail(program: &Program, elf: &Path, counted: &str) -> Result<()> {
    let (code, log) = qemu::run(program, elf)?;
    let Some(line) = log.iter().find(|line| line.contains(counted)) else {
        bail!("{} printed no count; its log:\n{}", program.name, log.join("\n"));
    };
    println!("    {line}");
    if code == 0 {
        bail!("{} did not detect the error", program.name);
    }
    Ok(())
}

fn replace(file: &Path, [from, to]: [&str; 2]) -> Result<()> {
    let text = fs::read_to_string(file)?;
    if text.matches(from).count() != 1 {
        bail!("{} does not contain `{from}` exactly once: update the mutant", file.display());
    }
    Ok(fs::write(file, text.replace(from, to))?)
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if name != "target" {
                copy_into(&from.join(&name), &to.join(&name))?;
            }
        }
    } else {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}
