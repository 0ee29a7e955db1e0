//! Selects the memory map and the linker scripts.

fn main() {
    firmware_linker::configure(firmware_linker::MPS2_AN521, &["link.x", "defmt.x"]);
}
