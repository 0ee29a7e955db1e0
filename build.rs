//! Sets `cfg(arm_mclass)` for Arm M-profile targets, on which the exception number identifies the owner of a context.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(arm_mclass)");
    let variable = |name: &str| var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_ARCH") != "arm" || variable("CARGO_CFG_TARGET_OS") != "none" {
        return;
    }
    // The feature `mclass` is in the environment only with a nightly compiler, which a target of a JSON file needs anyway.
    // The names of the built-in targets tell the profile to a stable compiler.
    let (target, features) = (variable("TARGET"), variable("CARGO_CFG_TARGET_FEATURE"));
    let is_named = |prefixes: &[&str]| prefixes.iter().any(|prefix| target.starts_with(prefix));
    let is_built_in_mclass = is_named(&["thumbv6m-", "thumbv7m-", "thumbv7em-", "thumbv8m."]);
    if is_built_in_mclass || features.split(',').any(|feature| feature == "mclass") {
        println!("cargo::rustc-cfg=arm_mclass");
    } else if features.is_empty()
        && !is_named(&["arm", "thumbv4t-", "thumbv5te-", "thumbv7a-", "thumbv7r-", "thumbv8r-"])
    {
        // Without the owner, an interrupt handler would see the interrupted code's tenant.
        println!(
            "cargo::error=tenancy cannot tell whether {target} is an Arm M-profile target: compile with a nightly compiler"
        );
    }
}
