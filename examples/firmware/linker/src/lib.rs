//! Memory maps and linker arguments for the build scripts of the programs.
//!
//! The linker arguments are set by build scripts because the environment variable `RUSTFLAGS` would override them in
//! `.cargo/config.toml`.

use std::path::Path;
use std::{env, fs};

/// The memory map of QEMU's `lm3s6965evb`, a Cortex-M3.
pub const LM3S6965EVB: &str = include_str!("../memory/lm3s6965evb.x");
/// The memory map of QEMU's `lm3s6965evb` with the stack below the static variables.
pub const LM3S6965EVB_STACK_FIRST: &str = include_str!("../memory/lm3s6965evb-stack-first.x");
/// The memory map of QEMU's `microbit`, a Cortex-M0.
pub const MICROBIT: &str = include_str!("../memory/microbit.x");
/// The memory map of QEMU's `mps2-an521`, a dual Cortex-M33.
pub const MPS2_AN521: &str = include_str!("../memory/mps2-an521.x");
/// The memory map of QEMU's `virt`, a 32-bit RISC-V machine.
pub const RISCV_VIRT: &str = include_str!("../memory/riscv-virt.x");

/// Installs `memory` as the package's `memory.x` and passes the linker scripts to the linker of its programs.
///
/// # Panics
///
/// Panics if it is not called from a build script, or if the output folder cannot be written.
pub fn configure(memory: &str, scripts: &[&str]) {
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    fs::write(Path::new(&folder).join("memory.x"), memory).expect("cannot write memory.x");
    println!("cargo::rustc-link-search={folder}");
    for script in scripts {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    // Without this line, cargo would run the build script again after every change in the package.
    println!("cargo::rerun-if-changed=build.rs");
}
