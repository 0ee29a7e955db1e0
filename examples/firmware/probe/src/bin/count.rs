//! Counts instructions. With `-icount shift=0`, QEMU takes exactly one nanosecond of SysTick's time for each.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use firmware_probe as _;
use semihosting::println;
use tenancy::{TenantContext, TenantId};

const TEXT: &[u8; 36] = b"550e8400-e29b-41d4-a716-446655440000";
/// The number of runs that a result is averaged over: one tick of SysTick, at 12 MHz, is about 83 instructions.
const REPETITIONS: u32 = 1_000;

/// Returns the ticks that all repetitions of `body` took.
fn ticks(clock: &mut SYST, mut body: impl FnMut()) -> u32 {
    clock.clear_current();
    let before = SYST::get_current();
    for round in 0..REPETITIONS {
        black_box(round);
        body();
    }
    before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff
}

/// Prints the instructions of one run of `body`; `empty` is the cost of the loop itself, in ticks.
fn report(clock: &mut SYST, empty: u32, name: &str, body: impl FnMut()) {
    let spent = ticks(clock, body) - empty;
    // 12 ticks are 1,000 nanoseconds, which are 1,000 instructions.
    println!("{name} {}", (spent * 1_000 / 12 + REPETITIONS / 2) / REPETITIONS);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(core) = Peripherals::take() else { semihosting::process::exit(1) };
    let mut clock = core.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(0x00ff_ffff);
    clock.enable_counter();

    let tenant = black_box(TenantId::PLATFORM);
    let empty = ticks(&mut clock, || {});
    report(&mut clock, empty, "critical-section", || cortex_m::interrupt::free(|_| ()));
    TenantContext::set(tenant);
    report(&mut clock, empty, "get", || {
        black_box(TenantContext::get()).ok();
    });
    report(&mut clock, empty, "set", || TenantContext::set(tenant));
    report(&mut clock, empty, "scope", || TenantContext::scope(tenant, || ()));
    report(&mut clock, empty, "parse", || {
        black_box(TenantId::parse_ascii(black_box(TEXT))).ok();
    });
    report(&mut clock, empty, "encode", || {
        black_box(tenant.encode(&mut [0; 36]));
    });
    semihosting::process::exit(0)
}
