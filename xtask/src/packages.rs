//! Packages of the operating system.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use crate::cost::installing;
use crate::process::{Step, is_installed};

/// Installs `packages` if `program` is missing.
pub(crate) fn need(program: &str, packages: &[&str], purpose: &str) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    install(packages, purpose).with_context(|| format!("`{program}` is needed: {purpose}"))?;
    ensure!(is_installed(program), "{} does not contain `{program}`", packages.join(" "));
    Ok(())
}

/// Installs packages of Debian.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    static UPDATED: OnceLock<bool> = OnceLock::new();
    let names = packages.join(" ");
    if !is_installed("apt-get") {
        bail!("apt-get is not available; install these packages by your own package manager: {names}");
    }
    if !is_root()? && !is_installed("sudo") {
        bail!(
            "neither root nor sudo; run as root: apt-get update && apt-get install --no-install-recommends {names}"
        );
    }
    installing(&format!("{names} ({purpose})"), || {
        if UPDATED.get().is_none() {
            apt(&["update", "-qq"])?;
            UPDATED.get_or_init(|| true);
        }
        apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
    })
}

fn apt(arguments: &[&str]) -> Result<()> {
    let apt = if is_root()? {
        Step::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive")
    } else {
        // Without a terminal nobody can enter a password. `sudo` does not pass the environment on.
        let asks = if io::stdin().is_terminal() { &[][..] } else { &["--non-interactive"] };
        Step::new("sudo").args(asks).args(&["DEBIAN_FRONTEND=noninteractive", "apt-get"])
    };
    apt.args(arguments).run_attended()
}

fn is_root() -> Result<bool> {
    Ok(Step::new("id").arg("-u").output()?.trim() == "0")
}
