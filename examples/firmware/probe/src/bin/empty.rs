//! An empty program: the baseline that is subtracted from the sizes of the others.

#![no_std]
#![no_main]

use firmware_probe as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
