//! Sets `cfg(arm_mclass)` for Arm M-profile targets. No stable cfg identifies them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(arm_mclass)");
    let target = std::env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumbv")
        && ["6m", "7m", "7em", "8m"].iter().any(|profile| target[6..].starts_with(profile))
    {
        println!("cargo::rustc-cfg=arm_mclass");
    }
}
