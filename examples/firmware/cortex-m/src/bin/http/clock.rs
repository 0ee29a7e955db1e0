//! The time since the start.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use smoltcp::time::Instant;

/// Five seconds before the end of the number: each run passes it, so that no device is the first to, after
/// 49 days.
const START: u32 = u32::MAX - 5_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(START);

/// What was added up at the last reading, for who has no `Clock` at hand.
static SINCE_START: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

#[exception]
fn SysTick() {
    MILLISECONDS.store(MILLISECONDS.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Adds up what the interrupt counted. It has to be read once in 49 days.
pub(crate) struct Clock {
    last: u32,
    milliseconds: i64,
}

impl Clock {
    pub(crate) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        // 12 MHz.
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
        interrupt::free(|section| SINCE_START.borrow(section).set(self.milliseconds.unsigned_abs()));
        Instant::from_millis(self.milliseconds)
    }
}

/// Milliseconds from the start to the last time that the clock was read.
pub(crate) fn since_start() -> u64 {
    interrupt::free(|section| SINCE_START.borrow(section).get())
}
