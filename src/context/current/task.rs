//! Hosts with tokio: a slot of the thread, tagged with the task.
//!
//! A task that sets its tenant outside a scope may move to another thread, set there, and come back to find
//! what it had set before. So a bare entry counts only while its thread is the one on which its task set
//! last: each thread has a *holder*, the number of that task, and a task that sets on one thread takes its
//! number away from the others. Scopes end before their task can move, and need none of it.

use core::sync::atomic::{AtomicU64, Ordering};
use std::cell::Cell;
use std::sync::{Arc, PoisonError, RwLock};
use std::vec::Vec;

use super::super::entry::{Entry, Held, Mark};
use super::super::owner::{Now, Task};
use super::super::place::Place;

std::thread_local! {
    // Without a destructor, so that they can be used while the thread ends.
    static HELD: Cell<Held> = const { Cell::new(Held::NONE) };
    static MARK: Cell<Mark<Task>> = const { Cell::new(Mark::FIRST) };
    static HOLDER: Holder = Holder::register();
}

/// The holders of all threads that ever held a task's bare entry and live.
static HOLDERS: RwLock<Vec<Arc<AtomicU64>>> = RwLock::new(Vec::new());

const NO_TASK: u64 = 0;

#[derive(Clone, Copy)]
pub(in crate::context) struct Slot;

pub(in crate::context) fn current() -> Slot {
    Slot
}

impl Place for Slot {
    type Owner = Task;

    #[inline]
    fn entry(self) -> Entry<Task> {
        Entry { held: HELD.get(), mark: MARK.get() }
    }

    #[inline]
    fn seen(self) -> Held {
        let entry = self.entry();
        if entry.held == Held::NONE {
            return Held::NONE;
        }
        let me = Task::now();
        match (entry.mark.owner().bare(), me.bare()) {
            (Some(_), Some(task)) if !Holder::is(task) => Held::NONE,
            _ => entry.seen_by(me),
        }
    }

    #[inline]
    fn mark(self) -> Mark<Task> {
        MARK.get()
    }

    #[inline]
    fn exchange(self, expected: Mark<Task>, entry: Entry<Task>) -> Option<Held> {
        (MARK.get() == expected).then(|| {
            MARK.set(entry.mark);
            HELD.replace(entry.held)
        })
    }

    #[inline]
    fn claim(self, me: Task) {
        let owner = MARK.get().owner();
        let in_own_scope = owner.is_in_scope() && owner == me;
        let taken = !in_own_scope && me.bare().is_some_and(Holder::take);
        // What the task left here before is not its tenant any more: it may have set elsewhere since.
        if taken && owner == me {
            MARK.set(MARK.get().next(me));
            HELD.set(Held::NONE);
        }
    }
}

/// The number of the task whose bare entry counts on this thread.
struct Holder(Arc<AtomicU64>);

impl Holder {
    fn register() -> Self {
        let holder = Arc::new(AtomicU64::new(NO_TASK));
        HOLDERS.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&holder));
        Self(holder)
    }

    /// Whether the task set last on this thread; `false` while the thread ends.
    fn is(task: u64) -> bool {
        HOLDER.try_with(|holder| holder.0.load(Ordering::Acquire) == task).unwrap_or(false)
    }

    /// Makes this the thread on which the task set last; `false` if it was already.
    fn take(task: u64) -> bool {
        HOLDER.try_with(|here| here.take_number(task)).unwrap_or(true)
    }

    fn take_number(&self, task: u64) -> bool {
        if self.0.load(Ordering::Acquire) == task {
            return false;
        }
        for other in HOLDERS.read().unwrap_or_else(PoisonError::into_inner).iter() {
            // Fails where the thread holds another task, which is none of this one's business.
            let _ = other.compare_exchange(task, NO_TASK, Ordering::AcqRel, Ordering::Acquire);
        }
        self.0.store(task, Ordering::Release);
        true
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut holders = HOLDERS.write().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|holder| !Arc::ptr_eq(holder, &self.0));
    }
}
