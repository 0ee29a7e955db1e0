//! What the system's package manager has to bring.

use std::process::Command;
use std::sync::Once;

use anyhow::{Context, Result, bail};

use crate::process::{Step, is_installed};

/// Installs the packages if `program` is not there, and says so.
pub(crate) fn need(program: &str, packages: &[&str], why: &str) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    install(packages, why).with_context(|| format!("`{program}` is needed: {why}"))?;
    if !is_installed(program) {
        bail!("{} came without `{program}`", packages.join(" "));
    }
    Ok(())
}

/// Installs Debian packages.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    static UPDATE: Once = Once::new();
    let names = packages.join(" ");
    println!("==> installing {names}: {why}");
    if !is_installed("apt-get") {
        bail!("this knows apt-get alone; install by your own package manager: {names}");
    }
    if !is_root()? && !is_installed("sudo") {
        bail!(
            "not root, and no sudo; run as root: apt-get update && apt-get install --no-install-recommends {names}"
        );
    }
    let mut updated = Ok(());
    UPDATE.call_once(|| updated = apt(&["update", "-qq"]));
    updated?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let command = if is_root()? {
        with(Command::new("apt-get"), arguments)
    } else {
        // It does not hand the environment on.
        with(Command::new("sudo"), &[&["DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat())
    };
    Step(command).env("DEBIAN_FRONTEND", "noninteractive").run_attended()
}

fn is_root() -> Result<bool> {
    Ok(Step(with(Command::new("id"), &["-u"])).output()?.trim() == "0")
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}
