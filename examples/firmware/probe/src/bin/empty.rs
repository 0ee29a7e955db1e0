//! The program that every other one is compared with.

#![no_std]
#![no_main]

use firmware_probe as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}
