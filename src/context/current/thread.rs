//! Hosts: a slot of the thread.

use std::cell::Cell;

use super::super::entry::{Entry, Held, Mark};
use super::super::owner::sole::Caller;
use super::super::place::Place;
use crate::context::owner::Now;

std::thread_local! {
    // Without a destructor, so that it can be used while the thread ends.
    static SLOT: Cell<Entry<Caller>> = const { Cell::new(Entry::UNSET) };
}

#[derive(Clone, Copy)]
pub(in crate::context) struct Slot;

pub(in crate::context) fn current() -> Slot {
    Slot
}

impl Place for Slot {
    type Owner = Caller;

    #[inline]
    fn seen(self) -> Held {
        SLOT.get().seen_by(Caller::now())
    }

    #[inline]
    fn mark(self) -> Mark<Caller> {
        SLOT.get().mark
    }

    #[inline]
    fn exchange(self, expected: Mark<Caller>, entry: Entry<Caller>) -> Option<Held> {
        SLOT.with(|slot| {
            let old = slot.get();
            (old.mark == expected).then(|| {
                slot.set(entry);
                old.held
            })
        })
    }
}
