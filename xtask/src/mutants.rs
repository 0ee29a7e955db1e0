//! The core, broken on purpose: the programs must then fail, or they prove nothing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cross::Cross;
use crate::device::Program;
use crate::process::root;
use crate::qemu;

/// The rule that an entry is seen by its owner alone, and the same without it.
const OWNER_CHECK: [&str; 2] =
    ["if self.mark.owner() == me { self.held } else { Held::NONE }", "{ let _ = me; self.held }"];

/// A cell that shows its tenant to everybody: `interrupts` must see the leak.
pub(crate) fn no_owner_check(cross: Cross) -> Result<()> {
    let copy = root().join("target/mutants/no-owner-check");
    fs::create_dir_all(&copy)?;
    // With all members of the workspace: cargo asks for each.
    for part in ["Cargo.toml", "build.rs", "README.md", "src", "crates", "benches", "examples", "xtask"] {
        // What an earlier run left; it may not be there.
        let _ = fs::remove_dir_all(copy.join(part));
        copy_into(&root().join(part), &copy.join(part))?;
    }
    replace(&copy.join("src/context/entry.rs"), OWNER_CHECK)?;

    let program = Program::find("interrupts").context("the program is in the table")?;
    let folder = cross.build(
        &copy.join("examples/firmware"),
        program.target,
        &["-p", program.package, "--bin", program.name],
    )?;
    must_fail(&program, &folder.join(program.name), "foreign reads")
}

/// Two cores on one cell: `cores` must see the leak.
pub(crate) fn one_cell(cross: Cross) -> Result<()> {
    let program = Program::find("cores").context("the program is in the table")?;
    let elf = program.build(cross, &["--features", "mutant-one-cell"])?;
    must_fail(&program, &elf, "wrong on core 0")
}

/// The program has to come to its end, say what it counted, and exit non-zero.
fn must_fail(program: &Program, elf: &Path, counted: &str) -> Result<()> {
    let (code, log) = qemu::run(program, elf)?;
    let Some(line) = log.iter().find(|line| line.contains(counted)) else {
        bail!("{} counted nothing; its log:\n{}", program.name, log.join("\n"));
    };
    println!("    {line}");
    if code == 0 {
        bail!("{} did not see that the core was broken", program.name);
    }
    Ok(())
}

fn replace(file: &Path, [from, to]: [&str; 2]) -> Result<()> {
    let text = fs::read_to_string(file)?;
    if text.matches(from).count() != 1 {
        bail!("{} does not have `{from}` once: the mutant is out of date", file.display());
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
        fs::copy(from, to).with_context(|| format!("could not copy {}", from.display()))?;
    }
    Ok(())
}
