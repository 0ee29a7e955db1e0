//! The time since the reset, and the time of day.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use semihosting::sys::arm_compat::{sys_get_cmdline_uninit, sys_time};
use smoltcp::time::Instant;
use tenancy_token::UnixSeconds;

/// The counter starts five seconds before it overflows. So every test run covers the overflow, which a device would
/// otherwise reach after 49 days.
const START: u32 = u32::MAX - 5_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(START);

/// The result of the last call of [`Clock::now`], for code that has no `Clock`.
static UPTIME: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

#[exception]
fn SysTick() {
    MILLISECONDS.store(MILLISECONDS.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Extends the 32-bit counter of the interrupt. It has to be read at least once in 49 days.
pub(crate) struct Clock {
    last: u32,
    milliseconds: i64,
}

impl Clock {
    pub(crate) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        // One millisecond at 12 MHz.
        timer.set_reload(12_000 - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self { last: START, milliseconds: 0 }
    }

    pub(crate) fn now(&mut self) -> Instant {
        let read = MILLISECONDS.load(Relaxed);
        self.milliseconds += i64::from(read.wrapping_sub(self.last));
        self.last = read;
        interrupt::free(|section| UPTIME.borrow(section).set(self.milliseconds.unsigned_abs()));
        Instant::from_millis(self.milliseconds)
    }
}

/// Returns the milliseconds from the reset to the last call of [`Clock::now`].
pub(crate) fn uptime_millis() -> u64 {
    interrupt::free(|section| UPTIME.borrow(section).get())
}

/// 2026-01-01T00:00:00Z. A clock that was never set is below it.
const EARLIEST: UnixSeconds = UnixSeconds(1_767_225_600);

/// The argument of the emulator by which the tests hide its clock.
const NO_CLOCK: &[u8] = b"clock=unknown";

/// Returns the time of day by the debugger's clock, or `None` if it is unknown.
///
/// A real device asks a clock with a battery, or a time server.
pub(crate) fn unix_time() -> Option<UnixSeconds> {
    let mut buffer = [MaybeUninit::uninit(); 256];
    // A longer command line than the buffer is not that of the tests.
    let arguments = sys_get_cmdline_uninit(&mut buffer).map_or(&[][..], |arguments| arguments);
    if arguments.windows(NO_CLOCK.len()).any(|argument| argument == NO_CLOCK) {
        return None;
    }
    let time = UnixSeconds(u64::try_from(sys_time().ok()?).ok()?);
    (time >= EARLIEST).then_some(time)
}
