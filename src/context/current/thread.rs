//! Hosts: a slot of the thread.

use std::cell::Cell;

use super::super::entry::{Entry, Held, Mark};
use super::super::owner::sole::Caller;
use super::super::place::Place;

std::thread_local! {
    // Without a destructor, so that they can be used while the thread ends.
    static HELD: Cell<Held> = const { Cell::new(Held::NONE) };
    static MARK: Cell<Mark<Caller>> = const { Cell::new(Mark::FIRST) };
}

#[derive(Clone, Copy)]
pub(in crate::context) struct Slot;

pub(in crate::context) fn current() -> Slot {
    Slot
}

impl Place for Slot {
    type Owner = Caller;

    #[inline]
    fn entry(self) -> Entry<Caller> {
        Entry { held: HELD.get(), mark: MARK.get() }
    }

    #[inline]
    fn mark(self) -> Mark<Caller> {
        MARK.get()
    }

    #[inline]
    fn exchange(self, expected: Mark<Caller>, entry: Entry<Caller>) -> Option<Held> {
        (MARK.get() == expected).then(|| {
            MARK.set(entry.mark);
            HELD.replace(entry.held)
        })
    }
}
