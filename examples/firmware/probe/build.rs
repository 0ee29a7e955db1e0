//! Places the linker scripts.

use std::{env, fs, path::PathBuf};

fn main() {
    // lm3s6965evb
    let memory =
        "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 256K  RAM : ORIGIN = 0x20000000, LENGTH = 64K }";
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), memory).expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=build.rs");
    for script in ["link.x"] {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
