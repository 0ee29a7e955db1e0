//! Selects the memory map and the linker scripts.

fn main() {
    firmware_linker::configure(firmware_linker::LM3S6965EVB, &["link.x"]);
}
