//! Counts instructions, exactly: under QEMU's `-icount shift=0` each takes one nanosecond of SysTick's time.

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
/// SysTick ticks at 12 MHz, so this many repetitions of one instruction are 12,000 ticks.
const REPETITIONS: u32 = 1_000;

/// Ticks of all repetitions.
fn ticks(clock: &mut SYST, mut body: impl FnMut()) -> u32 {
    clock.clear_current();
    let before = SYST::get_current();
    for at in 0..REPETITIONS {
        black_box(at);
        body();
    }
    before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff
}

fn report(clock: &mut SYST, empty: u32, name: &str, body: impl FnMut()) {
    let spent = ticks(clock, body) - empty;
    // Nanoseconds are instructions: 1,000 of them are 12 ticks.
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
