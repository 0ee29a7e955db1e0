//! The slot of a cell on hosts: one entry, behind the critical section.

use core::cell::Cell;

use critical_section::Mutex;

use crate::context::entry::{Entry, Held, Mark};
use crate::context::owner::Caller;

pub(super) struct Slot(Mutex<Cell<Entry<Caller>>>);

impl Slot {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Cell::new(Entry::UNSET)))
    }

    pub(super) fn load(&self) -> Entry<Caller> {
        critical_section::with(|section| self.0.borrow(section).get())
    }

    pub(super) fn mark(&self) -> Mark<Caller> {
        self.load().mark
    }

    pub(super) fn exchange(&self, expected: Mark<Caller>, entry: Entry<Caller>) -> Option<Held> {
        critical_section::with(|section| {
            let cell = self.0.borrow(section);
            let old = cell.get();
            (old.mark == expected).then(|| {
                cell.set(entry);
                old.held
            })
        })
    }
}
