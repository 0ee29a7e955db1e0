//! The main program, SysTick, and a PendSV that preempts SysTick each set a tenant of their own.
//!
//! None of the three may see the tenant of another, and each must find its own again after it was preempted.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::Peripherals;
use cortex_m::peripheral::SCB;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use firmware_kit as _;
use tenancy::{TenantContext, TenantId, tenant_id};

const PROGRAM: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-000000000001");
const TICK: TenantId = tenant_id!("bbbbbbbb-0000-4000-8000-000000000002");
const PEND: TenantId = tenant_id!("cccccccc-0000-4000-8000-000000000003");

const PREEMPTIONS: u32 = 2_000;

static TICKS: AtomicU32 = AtomicU32::new(0);
static PENDS: AtomicU32 = AtomicU32::new(0);
/// The number of reads that returned a tenant set by another owner.
static FOREIGN: AtomicU32 = AtomicU32::new(0);
/// The number of reads that did not return the reader's own tenant.
static LOST: AtomicU32 = AtomicU32::new(0);

/// Compares the current tenant with the expected one and counts a difference.
fn expect(tenant: Option<TenantId>) {
    let seen = TenantContext::get_optional();
    if seen != tenant {
        increment(if seen.is_some() { &FOREIGN } else { &LOST });
    }
}

/// Increments a counter by a load and a store, since a Cortex-M0 has no atomic addition.
///
/// A preemption in between can lose a count. The result is still not zero, so the program still fails.
fn increment(counter: &AtomicU32) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

#[exception]
fn SysTick() {
    expect(None);
    let first = TICKS.load(Relaxed) == 0;
    if first {
        // Rejected: a tenant set without a scope would still be set in the next activation of the handler.
        TenantContext::set(TICK);
        expect(None);
        core::mem::forget(TenantContext::enter(TICK));
        expect(None);
    }
    TenantContext::scope(TICK, || {
        SCB::set_pendsv();
        cortex_m::asm::isb();
        expect(Some(TICK));
        TenantContext::clear();
        expect(None);
        // The guard is leaked on purpose: the end of the scope must clear the tenant in spite of it.
        core::mem::forget(TenantContext::enter(TICK));
        expect(Some(TICK));
    });
    expect(None);
    increment(&TICKS);
}

#[exception]
fn PendSV() {
    expect(None);
    TenantContext::interrupt(|| {
        expect(None);
        TenantContext::set(PEND);
        expect(Some(PEND));
    });
    expect(None);
    increment(&PENDS);
}

#[entry]
fn main() -> ! {
    let Some(mut core) = Peripherals::take() else { firmware_kit::exit(1) };
    // SAFETY: critical sections mask all interrupts and do not depend on these priorities.
    unsafe {
        core.SCB.set_priority(SystemHandler::SysTick, 0x80);
        core.SCB.set_priority(SystemHandler::PendSV, 0x40);
    }
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(4_999);
    core.SYST.clear_current();
    core.SYST.enable_interrupt();
    core.SYST.enable_counter();

    let mut rounds = 0_u32;
    while TICKS.load(Relaxed) < PREEMPTIONS {
        // The period changes each round, so that every instruction below is interrupted at some point.
        core.SYST.set_reload(3_000 + rounds % 4_001);
        rounds = rounds.wrapping_add(1);
        expect(None);
        TenantContext::set(PROGRAM);
        expect(Some(PROGRAM));
        TenantContext::scope(TenantId::PLATFORM, || {
            expect(Some(TenantId::PLATFORM));
            let guard = TenantContext::enter(PROGRAM);
            expect(Some(PROGRAM));
            drop(guard);
        });
        expect(Some(PROGRAM));
        TenantContext::clear();
    }
    core.SYST.disable_interrupt();

    let (foreign, lost) = (FOREIGN.load(Relaxed), LOST.load(Relaxed));
    let enough = TICKS.load(Relaxed) >= PREEMPTIONS && PENDS.load(Relaxed) >= PREEMPTIONS;
    defmt::info!(
        "2000 preemptions, nested: {=bool}; foreign reads: {=u32}; lost: {=u32}",
        enough,
        foreign,
        lost
    );
    firmware_kit::exit(foreign + lost + u32::from(!enough))
}
