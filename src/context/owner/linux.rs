//! Linux without `std`: the kernel's number of the thread.
//!
//! A process that links this crate without the feature `std` still has threads, and they share the one
//! cell. The thread's pointer would be cheaper to read, but the next thread may get the same one, and with
//! it what a dead thread left; the kernel gives a number again only when it has used all the others.

use super::{Now, Owner};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::context) struct Caller(u32);

impl Owner for Caller {
    const FIRST: Self = Self(0);

    #[inline]
    fn nests(current: Self, replaced: Self, me: Self) -> bool {
        current == me && replaced == me
    }
}

impl Now for Caller {
    fn now() -> Self {
        Self(gettid())
    }
}

/// gettid(2), which needs no memory and can't fail.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn gettid() -> u32 {
    let number: u32;
    // SAFETY: system call 186 of x86-64 takes nothing and gives the id; the kernel clobbers rcx and r11.
    unsafe {
        core::arch::asm!("syscall", inlateout("eax") 186 => number, out("rcx") _, out("r11") _, options(nostack));
    }
    number
}

/// gettid(2), which needs no memory and can't fail.
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
fn gettid() -> u32 {
    let number: u32;
    // SAFETY: system call 178 of arm64 takes nothing, gives the id in w0, and keeps every other register.
    unsafe {
        core::arch::asm!("svc 0", in("x8") 178, lateout("w0") number, options(nostack));
    }
    number
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("on this architecture Linux needs the feature `std` of `tenancy`");
