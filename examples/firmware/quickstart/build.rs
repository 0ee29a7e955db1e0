//! Selects the memory map and the linker scripts.

fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET for build scripts");
    let memory =
        if target.starts_with("thumbv6m") { firmware_linker::MICROBIT } else { firmware_linker::LM3S6965EVB };
    firmware_linker::configure(memory, &["link.x", "defmt.x"]);
}
