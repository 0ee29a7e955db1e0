//! The second core of an mps2-an521, and a critical section that covers both cores.

use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use cortex_m::register::primask;

// The registers of the CPU identity block and the system control block (Arm application note AN521, section 3).
const CORE_ID: *const u32 = 0x5001_F000 as *const u32;
const VECTORS_OF_CORE_1: *mut u32 = 0x5002_1114 as *mut u32;
const CPU_WAIT: *mut u32 = 0x5002_1118 as *mut u32;

/// Returns the number of the running core.
pub(crate) fn core() -> usize {
    // SAFETY: both cores have this read-only register at this address.
    usize::from(unsafe { CORE_ID.read_volatile() } != 0)
}

const STACK: usize = 4096;

#[repr(C, align(8))]
struct Stack(UnsafeCell<[u8; STACK]>);

// SAFETY: only the second core uses the stack.
unsafe impl Sync for Stack {}

static SECOND_STACK: Stack = Stack(UnsafeCell::new([0; STACK]));

/// The vector table of the second core: its stack and its start address. The core enables no interrupts.
#[repr(C, align(1024))]
struct Vectors(UnsafeCell<[usize; 16]>);

// SAFETY: the table is written before the second core starts, and only that core reads it.
unsafe impl Sync for Vectors {}

static SECOND_VECTORS: Vectors = Vectors(UnsafeCell::new([0; 16]));

/// Starts the second core at `entry`.
pub(crate) fn start_second(entry: extern "C" fn() -> !) {
    let mut vectors = [entry as usize; 16];
    vectors[0] = SECOND_STACK.0.get() as usize + STACK;
    // SAFETY: the second core still waits, so nothing reads the table. The registers exist on this board.
    unsafe {
        SECOND_VECTORS.0.get().write(vectors);
        cortex_m::asm::dsb();
        VECTORS_OF_CORE_1.write_volatile(ptr::from_ref(&SECOND_VECTORS) as u32);
        CPU_WAIT.write_volatile(0);
    }
}

/// A critical section that disables interrupts on the running core and holds a lock between the two cores. A core that
/// holds the lock can enter it again.
struct BothCores;

critical_section::set_impl!(BothCores);

const FREE: usize = usize::MAX;
static HOLDER: AtomicUsize = AtomicUsize::new(FREE);

const NESTED: u8 = 0;
const OUTERMOST: u8 = 1;
const OUTERMOST_INTERRUPTS_ON: u8 = 2;

// SAFETY: from the outermost `acquire` to its `release`, one core holds the lock and has its interrupts disabled.
unsafe impl critical_section::Impl for BothCores {
    unsafe fn acquire() -> u8 {
        let interrupts_on = primask::read().is_active();
        cortex_m::interrupt::disable();
        let core = core();
        if HOLDER.load(Ordering::Relaxed) == core {
            return NESTED;
        }
        while HOLDER.compare_exchange_weak(FREE, core, Ordering::Acquire, Ordering::Relaxed).is_err() {}
        if interrupts_on { OUTERMOST_INTERRUPTS_ON } else { OUTERMOST }
    }

    unsafe fn release(before: u8) {
        if before != NESTED {
            HOLDER.store(FREE, Ordering::Release);
        }
        if before == OUTERMOST_INTERRUPTS_ON {
            // SAFETY: interrupts were enabled before the section.
            unsafe { cortex_m::interrupt::enable() };
        }
    }
}
