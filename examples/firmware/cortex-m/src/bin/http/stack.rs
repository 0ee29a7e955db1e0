//! How much of the stack was used: the start code painted it, and use scrapes the paint off.
//!
//! It lies below the statics, at the start of RAM (see the build script): a stack that overflows leaves RAM, and the
//! device stops, where it would overwrite statics else. The check reads here how near it came to that.

use cortex_m_rt::STACK_PAINT_VALUE;
use smoltcp::time::{Duration, Instant};

unsafe extern "C" {
    /// Of the linker script: where the stack may go, and where it begins.
    static _stack_end: u32;
    static _stack_start: u32;
}

const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Stack {
    most: usize,
    next: Instant,
}

impl Stack {
    pub(crate) const fn new() -> Self {
        Self { most: 0, next: Instant::ZERO }
    }

    /// Looks once a second, and logs it where it is more than it was.
    pub(crate) fn measure(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + EVERY;
        let (used, size) = used();
        if used > self.most {
            self.most = used;
            defmt::info!("stack: {=usize} of {=usize} bytes were used", used, size);
        }
    }
}

/// How many bytes were used at most, of how many.
fn used() -> (usize, usize) {
    let (end, start) = (&raw const _stack_end, &raw const _stack_start);
    let size = start as usize - end as usize;
    // SAFETY: all words between the symbols are RAM and aligned; the deepest of them belong to nobody now.
    let is_painted = |word: &usize| unsafe { end.add(*word).read_volatile() == STACK_PAINT_VALUE };
    let unused = (0..size / 4).take_while(is_painted).count();
    (size - unused * 4, size)
}
