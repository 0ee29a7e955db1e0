//! Two cores with a context each. Both enter 20,000 scopes at the same time.

#![no_std]
#![no_main]

mod hardware;

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m as _;
use firmware_kit as _;
use tenancy::{TenantCell, TenantContext, TenantId, tenant_id};

const TENANTS: [TenantId; 2] =
    [tenant_id!("aaaaaaaa-0000-4000-8000-000000000001"), tenant_id!("bbbbbbbb-0000-4000-8000-000000000002")];

const SCOPES: u32 = 20_000;

static CELLS: [TenantCell; 2] = [TenantCell::new(), TenantCell::new()];
static WRONG: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
static READY: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
static DONE: AtomicBool = AtomicBool::new(false);

/// Returns the context of the running core.
#[cfg(not(feature = "mutant-one-cell"))]
fn current_cell() -> &'static TenantCell {
    &CELLS[hardware::core()]
}

#[cfg(feature = "mutant-one-cell")]
fn current_cell() -> &'static TenantCell {
    &CELLS[0]
}

tenancy::set_cell!(current_cell);

/// Enters and leaves scopes, and counts the reads that return a wrong tenant.
fn work(core: usize) {
    // Without this wait, the first core would be done before the second one has started.
    READY[core].store(true, Ordering::Release);
    while !READY[1 - core].load(Ordering::Acquire) {
        hint::spin_loop();
    }
    let mut wrong = 0;
    for _ in 0..SCOPES {
        wrong += u32::from(TenantContext::is_set());
        TenantContext::scope(TENANTS[core], || {
            wrong += u32::from(TenantContext::get() != Ok(TENANTS[core]));
        });
    }
    WRONG[core].store(wrong, Ordering::Relaxed);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    hardware::start_second(second);
    work(0);
    while !DONE.load(Ordering::Acquire) {
        hint::spin_loop();
    }
    let wrong = WRONG.each_ref().map(|wrong| wrong.load(Ordering::Relaxed));
    defmt::info!("2 x {=u32} scopes; wrong on core 0: {=u32}, on core 1: {=u32}", SCOPES, wrong[0], wrong[1]);
    firmware_kit::exit(wrong[0] + wrong[1])
}

extern "C" fn second() -> ! {
    work(1);
    DONE.store(true, Ordering::Release);
    loop {
        cortex_m::asm::wfe();
    }
}
