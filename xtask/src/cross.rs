//! The toolchain that builds for the devices.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::packages;
use crate::process::{self, Step, is_installed};

/// The targets of the check: Cortex-M0, M3, M4F, M33 and RISC-V; the last has no atomics at all.
pub(crate) const TARGETS: [&str; 6] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "riscv32imac-unknown-none-elf",
    "riscv32i-unknown-none-elf",
];

const DEBIAN: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// Rust 1.88 has what the programs are written in: edition 2024, and `let` in conditions.
const OLDEST: u32 = 88;

/// What those packages bring, and a build uses.
const DEBIAN_FILES: [&str; 4] =
    ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/rust-lld", "/usr/lib/rustlib/src/rust/library/core"];

/// Where the compiler and its core library come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cross {
    /// The cargo at hand, with targets that rustup installed.
    Rustup,
    /// Debian's compiler, which builds the core library from source.
    Debian,
}

impl Cross {
    /// Uses what is there, or installs it.
    pub(crate) fn set_up() -> Result<Self> {
        let wanted = env::var("XTASK_CROSS").unwrap_or_default();
        if !matches!(wanted.as_str(), "" | "rustup" | "debian") {
            bail!("XTASK_CROSS is `{wanted}`, and may be `rustup` or `debian`");
        }
        if wanted != "debian" && Self::by_rustup() {
            return Ok(Self::Rustup);
        }
        if wanted == "rustup" {
            bail!("rustup could not add the targets {}", TARGETS.join(" "));
        }
        // Plain Debian's compiler may be there, and is too old for the programs.
        if !DEBIAN_FILES.iter().all(|file| Path::new(file).exists()) || !is_new_enough("/usr/bin/rustc") {
            packages::install(&DEBIAN, "the compiler and the core library's source for the devices")?;
        }
        println!("==> cross toolchain: Debian's, with the core library built from source");
        Ok(Self::Debian)
    }

    fn by_rustup() -> bool {
        if !is_installed("rustup") {
            return false;
        }
        let installed = rustup(&["target", "list", "--installed"]).output().unwrap_or_default();
        let missing: Vec<_> =
            TARGETS.into_iter().filter(|target| !installed.lines().any(|line| line == *target)).collect();
        if missing.is_empty() {
            return true;
        }
        println!("==> asking rustup for {}", missing.join(" "));
        let added = rustup(&[&["target", "add"], &missing[..]].concat()).run();
        if let Err(error) = &added {
            println!("    {error:#}");
        }
        added.is_ok()
    }

    /// A release build of a package for a device, in a workspace; the folder of the target's results.
    pub(crate) fn build(self, workspace: &Path, target: &str, arguments: &[&str]) -> Result<PathBuf> {
        let folder = workspace.join("target").join(self.folder());
        let mut command = match self {
            Self::Rustup => process::cargo(&[]).0,
            Self::Debian => Command::new("/usr/bin/cargo"),
        };
        command.current_dir(workspace).args(["build", "--quiet", "--release", "--target", target]);
        command.arg("--target-dir").arg(&folder).args(arguments);
        // They would override the workspace's own configuration, or send the build elsewhere.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            command.env_remove(name);
        }
        if self == Self::Debian {
            for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTDOC", "RUSTDOCFLAGS", "RUSTUP_HOME"] {
                command.env_remove(name);
            }
            command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").args(["-Z", "build-std=core"]);
        }
        Step(command).run()?;
        Ok(folder.join(target).join("release"))
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Rustup => "cross-rustup",
            Self::Debian => "cross-debian",
        }
    }
}

fn is_new_enough(compiler: &str) -> bool {
    let mut command = Command::new(compiler);
    command.arg("--version");
    Step(command).output().is_ok_and(|version| minor(&version).is_some_and(|minor| minor >= OLDEST))
}

/// The second number of `rustc 1.96.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

fn rustup(arguments: &[&str]) -> Step {
    let mut command = Command::new("rustup");
    command.args(arguments);
    Step(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_compilers_version() {
        assert_eq!(minor("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some(96));
        assert_eq!(minor("rustc 1.63.0"), Some(63));
        assert_eq!(minor("gcc 14"), None);
    }
}
