//! What several of the tests need.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tenancy::TenantId;

/// Keeps the other tests of this process out. Without the feature `std` all threads share one slot: a test
/// in another thread can't see this one's tenant, but it can replace it.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tenant of a number; different numbers, different tenants.
pub(crate) fn tenant(number: u64) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

/// The number of a tenant that [`tenant`] gave.
pub(crate) fn number(tenant: TenantId) -> u64 {
    u64::from_be_bytes(tenant.as_bytes()[8..].try_into().expect("eight bytes"))
}

/// A small fast generator (splitmix64): a test prints the seed, and the seed repeats the test.
#[derive(Clone, Debug)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`.
    #[allow(clippy::cast_possible_truncation, reason = "below `end`")]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Pending once, whatever the executor: the next poll goes on.
pub(crate) fn pause() -> Pause {
    Pause(false)
}

#[must_use]
#[derive(Debug)]
pub(crate) struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Runs the rest of a poll's work when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Panics without the hook, which would fill the log with panics that a test wants.
pub(crate) fn panic_silently() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
