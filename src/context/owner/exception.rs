//! Arm M-profile: the number of the running exception; 0 is the program itself.

use super::{Now, Owner};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller(u32);

impl Owner for Caller {
    #[inline]
    fn tag(self) -> u32 {
        self.0
    }

    #[inline]
    fn from_tag(tag: u32) -> Self {
        Self(tag)
    }

    #[inline]
    fn is_handler(self) -> bool {
        self.0 != 0
    }

    /// Exceptions preempt each other last-in first-out: they share a stack.
    #[inline]
    fn nests(_current: Self, _replaced: Self, _me: Self) -> bool {
        true
    }
}

impl Now for Caller {
    #[inline]
    fn now() -> Self {
        let number: u32;
        // SAFETY: reads a register that every M-profile core has and privilege does not guard: IPSR reads
        // as the exception number, of 9 bits. Touches neither memory nor flags.
        #[allow(unsafe_code)]
        unsafe {
            core::arch::asm!("mrs {}, ipsr", out(reg) number, options(nomem, nostack, preserves_flags));
        }
        Self(number)
    }
}
