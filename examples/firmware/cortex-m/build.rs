//! Places the linker scripts.

use std::{env, fs, path::PathBuf};

/// The lm3s6965evb, which has 64K of RAM. The stack has the first of it, and statics what is behind: below RAM there is
/// nothing, so a stack that overflows is a fault, and no static is overwritten (as with `flip-link`).
const MEMORY: &str = "
MEMORY {
  FLASH : ORIGIN = 0x00000000, LENGTH = 256K
  STACK : ORIGIN = 0x20000000, LENGTH = 24K
  RAM : ORIGIN = 0x20006000, LENGTH = 40K
}
_stack_end = ORIGIN(STACK);
_stack_start = ORIGIN(STACK) + LENGTH(STACK);
";

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), MEMORY).expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=build.rs");
    for script in ["link.x", "defmt.x"] {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
