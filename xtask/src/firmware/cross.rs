//! The toolchain that builds for the devices.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::fixtures::TOKEN_KEY_HEX;
use crate::cost::installing;
use crate::packages;
use crate::process::{Step, cargo, is_installed};

/// The targets of the check: Cortex-M0, M3, M4F and M33, and two of RISC-V. The last one has no atomic instructions.
pub(crate) const TARGETS: [&str; 6] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "riscv32imac-unknown-none-elf",
    "riscv32i-unknown-none-elf",
];

const DEBIAN: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// The programs use edition 2024 and `let` in conditions, which Rust 1.88 introduced.
const OLDEST: u32 = 88;

/// The files of those packages that a build uses.
const DEBIAN_FILES: [&str; 4] =
    ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/rust-lld", "/usr/lib/rustlib/src/rust/library/core"];

/// The source of the compiler and of its core library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cross {
    /// The current cargo, with targets installed by rustup.
    Rustup,
    /// Debian's compiler, which builds the core library from source.
    Debian,
}

impl Cross {
    /// Chooses a toolchain, and installs it if it is missing.
    pub(crate) fn set_up() -> Result<Self> {
        let wanted = env::var("XTASK_CROSS").unwrap_or_default();
        if !matches!(wanted.as_str(), "" | "rustup" | "debian") {
            bail!("invalid XTASK_CROSS `{wanted}`: must be `rustup` or `debian`");
        }
        if wanted != "debian" && Self::by_rustup() {
            return Ok(Self::Rustup);
        }
        if wanted == "rustup" {
            bail!("rustup cannot add the targets {}", TARGETS.join(" "));
        }
        // The compiler of the package rustc may be installed, but it is too old for the programs.
        if !DEBIAN_FILES.iter().all(|file| Path::new(file).exists()) || !is_new_enough("/usr/bin/rustc") {
            packages::install(&DEBIAN, "the compiler and the source of the core library for the firmware")?;
        }
        println!("==> cross toolchain: Debian, with the core library built from source");
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
        let added = installing(&format!("targets {}", missing.join(" ")), || {
            rustup(&[&["target", "add"], &missing[..]].concat()).run()
        });
        if let Err(error) = &added {
            println!("    {error:#}");
        }
        added.is_ok()
    }

    /// Builds a package of a workspace in release mode for a device, and returns the folder of the results.
    pub(crate) fn build(self, workspace: &Path, target: &str, arguments: &[&str]) -> Result<PathBuf> {
        let folder = workspace.join("target").join(self.folder());
        let mut command = match self {
            Self::Rustup => cargo(&[]),
            Self::Debian => Step::new("/usr/bin/cargo"),
        };
        command = command.current_dir(workspace).args(&["build", "--quiet", "--release", "--target", target]);
        command = command.arg("--target-dir").arg(&folder).args(arguments);
        // The program `http` verifies tokens with this key.
        command = command.env("TENANCY_TOKEN_KEY", TOKEN_KEY_HEX);
        // These variables override the configuration of the workspace, or the folder of the results.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            command = command.env_remove(name);
        }
        if self == Self::Debian {
            for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTDOC", "RUSTDOCFLAGS", "RUSTUP_HOME"] {
                command = command.env_remove(name);
            }
            command = command
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1")
                .args(&["-Z", "build-std=core"]);
        }
        command.run()?;
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
    let version = Step::new(compiler).arg("--version").output();
    version.is_ok_and(|version| minor(&version).is_some_and(|minor| minor >= OLDEST))
}

/// Reads the minor version of `rustc 1.96.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

fn rustup(arguments: &[&str]) -> Step {
    Step::new("rustup").args(arguments)
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
