//! Selects the memory map and the linker scripts.

fn main() {
    firmware_linker::configure(firmware_linker::RISCV_VIRT, &["memory.x", "link.x", "defmt.x"]);
}
