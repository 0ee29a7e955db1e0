//! Measures the stack use: the start-up code paints the stack, and use overwrites the paint.
//!
//! The stack is below the static variables, at the start of RAM (`linker/memory/lm3s6965evb-stack-first.x`). If it
//! overflows, the program stops with a fault and does not overwrite static variables. The test of this program reads
//! from the log how close the stack came to its limit.

use cortex_m_rt::STACK_PAINT_VALUE;
use smoltcp::time::{Duration, Instant};

unsafe extern "C" {
    /// The lowest address of the stack, from the linker script.
    static _stack_end: u32;
    /// The address where the stack begins, from the linker script.
    static _stack_start: u32;
}

const INTERVAL: Duration = Duration::from_secs(1);

/// Logs the largest stack use so far.
pub(crate) struct StackMonitor {
    high_water_mark: usize,
    next: Instant,
}

impl StackMonitor {
    pub(crate) const fn new() -> Self {
        Self { high_water_mark: 0, next: Instant::ZERO }
    }

    /// Measures once a second, and logs the stack use if it has grown.
    pub(crate) fn measure(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        let (used, size) = used();
        if used > self.high_water_mark {
            self.high_water_mark = used;
            defmt::info!("stack: {=usize} of {=usize} bytes used", used, size);
        }
    }
}

/// Returns the largest stack use so far and the size of the stack, in bytes.
fn used() -> (usize, usize) {
    let (end, start) = (&raw const _stack_end, &raw const _stack_start);
    let size = start as usize - end as usize;
    // SAFETY: all words between the symbols are aligned RAM. The painted ones are below the stack pointer and belong to
    // no variable.
    let is_painted = |word: &usize| unsafe { end.add(*word).read_volatile() == STACK_PAINT_VALUE };
    let unused = (0..size / 4).take_while(is_painted).count();
    (size - unused * 4, size)
}
