//! The program, SysTick, and a PendSV that preempts SysTick, each in a tenant of its own: nobody sees another's,
//! everybody gets their own back.

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
/// Reads of a tenant that the reader had not set.
static FOREIGN: AtomicU32 = AtomicU32::new(0);
/// Reads that missed the reader's own tenant.
static LOST: AtomicU32 = AtomicU32::new(0);

fn expect(tenant: Option<TenantId>) {
    let seen = TenantContext::get_optional();
    if seen != tenant {
        let wrong = if seen.is_some() { &FOREIGN } else { &LOST };
        add(wrong);
    }
}

/// A load and a store: a Cortex-M0 has no more, and a count lost to a preemption leaves others.
fn add(counter: &AtomicU32) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

#[exception]
fn SysTick() {
    expect(None);
    let first = TICKS.load(Relaxed) == 0;
    if first {
        // Refused, for nothing could tell the next activation from this one; and logged as an error.
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
        // Forgotten on purpose: the scope's end takes it away, and the next activation starts unset.
        core::mem::forget(TenantContext::enter(TICK));
        expect(Some(TICK));
    });
    expect(None);
    add(&TICKS);
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
    add(&PENDS);
}

#[entry]
fn main() -> ! {
    let Some(mut core) = Peripherals::take() else { firmware_kit::exit(1) };
    // SAFETY: no critical section depends on these priorities: it masks all interrupts.
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
        // Another period each round, so that each instruction below is met by some tick.
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
