//! The parts that every program shares: the log output, the panic handler and the exit code.

#![no_std]

use core::panic::PanicInfo;

use defmt_semihosting as _;

/// Ends the program. The exit code is 0 without failures, and 1 otherwise.
pub fn exit(failures: u32) -> ! {
    if failures > 0 {
        defmt::error!("{=u32} checks failed", failures);
    }
    semihosting::process::exit(i32::from(failures > 0))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    semihosting::process::exit(101)
}
