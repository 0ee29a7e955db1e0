//! What every program here needs: a way out, by an exit code that the host can trust.

#![no_std]

use core::panic::PanicInfo;

use defmt_semihosting as _;

/// Ends the program: 0 where nothing went wrong.
pub fn exit(wrong: u32) -> ! {
    if wrong > 0 {
        defmt::error!("{=u32} things went wrong", wrong);
    }
    semihosting::process::exit(i32::from(wrong > 0))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    semihosting::process::exit(101)
}
