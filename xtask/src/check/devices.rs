//! The core on devices: its targets, the firmware in QEMU, deliberate errors, and sizes.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::firmware::cross::{Cross, TARGETS};
use crate::firmware::program::{PROGRAMS, Program};
use crate::firmware::{http, mutants, qemu, size};
use crate::process::root;
use crate::report::Report;

pub(super) fn check(report: &mut Report) {
    let mut cross = None;
    report.step("cross toolchain", || {
        cross = Some(Cross::set_up()?);
        Ok(())
    });
    let Some(cross) = cross else { return };
    for target in TARGETS {
        report.step(&format!("core and agents for {target}"), || {
            cross.build(&root(), target, &["-p", "tenancy", "--lib"])?;
            cross.build(&root(), target, &["-p", "tenancy", "--lib", "--features", "defmt,serde,stream"])?;
            cross.build(&root(), target, &["-p", "tenancy-token", "--lib", "--features", "ed25519"])?;
            cross.build(&root(), target, &["-p", "tenancy-agents", "--lib"]).map(drop)
        });
    }
    if !report.step("QEMU", qemu::set_up) {
        return;
    }
    for program in &PROGRAMS {
        let name = format!("{} in QEMU ({})", program.name, program.machine[2]);
        report.step(&name, || run(program, cross));
    }
    report.step("deliberate error: a cell without its owner check", || mutants::no_owner_check(cross));
    report.step("deliberate error: two cores share one cell", || mutants::one_cell(cross));
    report.step("size and instructions", || {
        ensure!(size::report(cross)?, "a figure is over its limit");
        Ok(())
    });
}

fn run(program: &Program, cross: Cross) -> Result<()> {
    let elf = program.build(cross, &[])?;
    if program.name == "http" {
        return http::test(program, &elf);
    }
    let (code, log) = qemu::run(program, &elf)?;
    compare_log(program.name, &log)?;
    ensure!(code == 0, "{} ended with status {code}; its log:\n{}", program.name, log.join("\n"));
    Ok(())
}

/// Compares a log with the one that is checked in.
fn compare_log(name: &str, log: &[String]) -> Result<()> {
    let file = root().join("examples/firmware/expected").join(name).with_extension("log");
    let expected = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let expected: Vec<_> = expected.lines().collect();
    for at in 0..expected.len().max(log.len()) {
        let (want, got) = (expected.get(at).copied(), log.get(at).map(String::as_str));
        if want != got {
            bail!(
                "line {} of the log of {name} is {got:?}, not {want:?}; the log:\n{}",
                at + 1,
                log.join("\n")
            );
        }
    }
    println!("    {} lines of log, as expected", log.len());
    Ok(())
}
