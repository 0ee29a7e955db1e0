//! The slot of a cell on bare metal: five words. The critical section copies them, and nothing else.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::Mutex;

use crate::context::entry::{Entry, Held, Mark};
use crate::context::owner::Caller;

pub(super) struct Slot {
    held: Mutex<[Cell<u32>; 4]>,
    /// Atomic, so that it can be read outside a critical section; loads and stores alone, which even a
    /// Cortex-M0 has.
    mark: AtomicU32,
}

impl Slot {
    pub(super) const fn new() -> Self {
        let Entry { held: Held([a, b, c, d]), mark } = Entry::<Caller>::UNSET;
        Self {
            held: Mutex::new([Cell::new(a), Cell::new(b), Cell::new(c), Cell::new(d)]),
            mark: AtomicU32::new(mark.word()),
        }
    }

    #[inline]
    pub(super) fn load(&self) -> Entry<Caller> {
        critical_section::with(|section| {
            let [a, b, c, d] = self.held.borrow(section);
            Entry { held: Held([a.get(), b.get(), c.get(), d.get()]), mark: self.mark() }
        })
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark<Caller> {
        Mark::from_word(self.mark.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn exchange(&self, expected: Mark<Caller>, entry: Entry<Caller>) -> Option<Held> {
        critical_section::with(|section| {
            (self.mark() == expected).then(|| {
                self.mark.store(entry.mark.word(), Ordering::Relaxed);
                let [a, b, c, d] = self.held.borrow(section);
                let [e, f, g, h] = entry.held.0;
                Held([a.replace(e), b.replace(f), c.replace(g), d.replace(h)])
            })
        })
    }
}
