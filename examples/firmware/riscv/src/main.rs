//! A main program and a timer interrupt on RISC-V, each in a tenant of its own.
//!
//! RISC-V has no register that identifies the running interrupt handler, so the body of the handler runs inside
//! `TenantContext::interrupt`.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use firmware_kit as _;
use riscv as _;
use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};
use tenancy::{TenantContext, TenantId, tenant_id};

const PROGRAM: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-000000000001");
const TIMER: TenantId = tenant_id!("bbbbbbbb-0000-4000-8000-000000000002");

const ACTIVATIONS: u32 = 2_000;
/// The timer's period, in ticks of 10 MHz.
const PERIOD: u64 = 997;

// The core-local interruptor of QEMU's `virt` machine.
const MTIMECMP: *mut u64 = 0x0200_4000 as *mut u64;
const MTIME: *const u64 = 0x0200_BFF8 as *const u64;

static COUNT: AtomicU32 = AtomicU32::new(0);
static WRONG: AtomicU32 = AtomicU32::new(0);

/// Compares the current tenant with the expected one and counts a difference.
fn expect(tenant: Option<TenantId>) {
    if TenantContext::get_optional() != tenant {
        WRONG.store(WRONG.load(Relaxed) + 1, Relaxed);
    }
}

fn next_timer() {
    // SAFETY: these are the timer's registers of this machine. The two halves of the value are written one after the
    // other, which can cause an early interrupt; that is harmless.
    unsafe { MTIMECMP.write_volatile(MTIME.read_volatile().wrapping_add(PERIOD)) };
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    TenantContext::interrupt(|| {
        expect(None);
        TenantContext::set(TIMER);
        expect(Some(TIMER));
        // The guard is leaked on purpose: the end of `interrupt` must clear the tenant in spite of it.
        core::mem::forget(TenantContext::enter(TenantId::PLATFORM));
    });
    COUNT.store(COUNT.load(Relaxed) + 1, Relaxed);
    next_timer();
}

#[riscv_rt::entry]
fn main() -> ! {
    next_timer();
    // SAFETY: the handler for this interrupt is linked in.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
    while COUNT.load(Relaxed) < ACTIVATIONS {
        expect(None);
        TenantContext::set(PROGRAM);
        expect(Some(PROGRAM));
        TenantContext::scope(TenantId::PLATFORM, || expect(Some(TenantId::PLATFORM)));
        expect(Some(PROGRAM));
        TenantContext::clear();
    }
    // SAFETY: no code relies on the timer interrupt any more.
    unsafe { mie::clear_mtimer() };
    let wrong = WRONG.load(Relaxed);
    defmt::info!("{=u32} timer interrupts, {=u32} wrong", ACTIVATIONS, wrong);
    firmware_kit::exit(wrong)
}
