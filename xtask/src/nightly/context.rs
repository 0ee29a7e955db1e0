//! Tests of the core's context that need a nightly compiler or take long, and the targets that need one.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::cost::installing;
use crate::process::{Step, cargo, is_installed, target};
use crate::report::Report;

const HOST: &str = "x86_64-unknown-linux-gnu";

/// The tests of the context and of futures. Under Miri their models make fewer steps.
const TESTS: [&str; 6] =
    ["cell_model::", "executor::", "future_drops::", "peers_bugs::", "streams::", "tasks_model::"];

/// The orders in which threads run the parts of tasks.
const SCHEDULES: &str = "300000";

/// Targets without a prebuilt core library, the compiler options that they need, and features.
const TARGETS: [[&str; 3]; 3] = [
    ["avr-none", "-C target-cpu=atmega328p", "custom-cell,serde"],
    ["msp430-none-elf", "", "custom-cell,serde"],
    ["bpfel-unknown-none", "", ""],
];

pub(super) fn check(report: &mut Report) {
    if !report.step("nightly compiler with Miri", set_up) {
        return;
    }
    report.step("Miri: context, futures and streams", miri);
    report.step("thread sanitizer: threads and tasks", thread_sanitizer);
    report.step(&format!("{SCHEDULES} schedules of threads that run tasks"), schedules);
    for [triple, options, features] in TARGETS {
        report.step(&format!("core for {triple}"), || build_std(triple, options, features));
    }
    report.step("core for a target of a JSON file", json_target);
}

fn set_up() -> Result<()> {
    ensure!(is_installed("rustup"), "rustup is not installed; it installs the nightly compiler");
    let parts = ["--component", "miri,rust-src", "--profile", "minimal", "--no-self-update"];
    let works = || nightly("cargo").args(&["miri", "--version"]).output().is_ok();
    if !works() {
        installing("the nightly compiler with Miri", || {
            Step::new("rustup").args(&["toolchain", "install", "nightly"]).args(&parts).run()
        })?;
    }
    ensure!(works(), "the nightly compiler has no Miri: install one of a day on which it was built");
    Ok(())
}

/// Returns a command of a program of the nightly toolchain.
fn nightly(program: &str) -> Step {
    let step = Step::new("rustup").like_cargo().args(&["run", "nightly", program]);
    // Cargo sets these variables for the programs that it runs, and they would select its own toolchain.
    ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"]
        .into_iter()
        .fold(step, Step::env_remove)
        .env("CARGO_TARGET_DIR", target().join("nightly"))
}

fn miri() -> Result<()> {
    let test = ["miri", "test", "-p", "tenancy", "--all-features", "--test", "it", "--"];
    nightly("cargo")
        .args(&test)
        .args(&TESTS)
        // Runtimes read the clock.
        .env("MIRIFLAGS", "-Zmiri-strict-provenance -Zmiri-disable-isolation")
        .run()
}

/// The standard library is built with the sanitizer, too: otherwise its locks look like races.
fn thread_sanitizer() -> Result<()> {
    let test =
        ["test", "-Z", "build-std", "--target", HOST, "-p", "tenancy", "--all-features", "--test", "it"];
    nightly("cargo")
        .args(&test)
        .args(&["--", "tasks::", "task_scopes::", "cell_model::threads", "peers_bugs::"])
        .env("RUSTFLAGS", "-Z sanitizer=thread")
        .run()
}

fn schedules() -> Result<()> {
    cargo(&["test", "--release", "-p", "tenancy", "--features", "tokio", "--lib"])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_TARGET_DIR", target().join("shuttle"))
        .env("SCHEDULES", SCHEDULES)
        .run()
}

fn build_std(triple: &str, options: &str, features: &str) -> Result<()> {
    nightly("cargo")
        .args(&[
            "check",
            "--quiet",
            "-Z",
            "build-std=core",
            "-Z",
            "json-target-spec",
            "-p",
            "tenancy",
            "--lib",
        ])
        .args(&["--target", triple, "--features", features])
        .env("RUSTFLAGS", options)
        .run()
}

/// A board of a user, described as a built-in target is: the owner of a context must not be lost with the name.
fn json_target() -> Result<()> {
    let print =
        ["-Z", "unstable-options", "--print", "target-spec-json", "--target", "thumbv7em-none-eabihf"];
    let description = nightly("rustc").args(&print).output()?;
    let file = target().join("nightly/board.json");
    fs::write(&file, description).with_context(|| format!("cannot write {}", file.display()))?;
    build_std(&file.to_string_lossy(), "", "defmt,serde,stream,custom-cell")
}
