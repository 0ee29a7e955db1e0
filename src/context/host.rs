//! Hosts: each thread has a slot for scopes, and slots for what is set outside of scopes.
//!
//! A scope's entry belongs to the code that opened the scope. Scopes of one thread nest, also those of different tasks,
//! because a task that is polled inside of another's scope ends its own scopes before it returns. So one slot holds the
//! innermost scope, and each scope restores the entry that it replaced. Only its owner and nested scopes change an entry.
//!
//! A *bare* entry is set outside of the owner's scopes. It belongs to the thread or to the tokio task that set it, and
//! other owners have slots of their own.
//!
//! The generations in a slot follow the rules of a [`TenantCell`](crate::TenantCell)'s slot.

use std::cell::Cell;

use self::bare::with_bare;
use self::owner::Owner;
use super::entry::Held;
use super::log;
use crate::{SetTenantContextError, TenantId};

std::thread_local! {
    // Without a destructor, so that it can be used while the thread ends.
    static SCOPES: Slot = const { Slot::new() };
}

struct Slot {
    held: Cell<Held>,
    owner: Cell<Owner>,
    generation: Cell<u64>,
}

#[derive(Clone, Copy)]
struct Entry {
    held: Held,
    owner: Owner,
    generation: u64,
}

impl Slot {
    const fn new() -> Self {
        Self { held: Cell::new(Held::NONE), owner: Cell::new(Owner::FIRST), generation: Cell::new(0) }
    }

    /// Replaces the entry by one of the next generation, and returns the old one.
    #[inline]
    fn push(&self, held: Held, owner: Owner) -> Entry {
        let replaced =
            Entry { held: self.held.get(), owner: self.owner.get(), generation: self.generation.get() };
        self.held.set(held);
        self.owner.set(owner);
        self.generation.set(replaced.generation.wrapping_add(1));
        replaced
    }

    /// Restores the entry that was replaced by the entry after it. Fails if another entry is there.
    #[inline]
    fn restore(&self, replaced: Entry) -> bool {
        let is_innermost = self.generation.get() == replaced.generation.wrapping_add(1);
        if is_innermost {
            self.held.set(replaced.held);
            self.owner.set(replaced.owner);
            self.generation.set(replaced.generation);
        }
        is_innermost
    }
}

/// Returns what the caller may see: its innermost scope, and outside of its scopes its bare entry.
#[inline]
pub(super) fn seen() -> Held {
    SCOPES.with(|scopes| {
        let owner = scopes.owner.get();
        if owner.is_in_scope() {
            let me = Owner::now();
            return if owner == me.in_scope() { scopes.held.get() } else { bare::seen(me) };
        }
        if bare::is_used() { bare::seen(Owner::now()) } else { Held::NONE }
    })
}

/// Sets the tenant of the caller's innermost scope, and outside of its scopes its bare entry.
#[inline]
pub(super) fn set(tenant: TenantId) {
    put(tenant.into());
    log::set(tenant);
}

/// On hosts each owner can set its own tenant.
#[inline]
#[allow(clippy::unnecessary_wraps, reason = "on bare metal it can fail")]
pub(super) fn try_set(tenant: TenantId) -> Result<(), SetTenantContextError> {
    set(tenant);
    Ok(())
}

#[inline]
pub(super) fn clear() {
    put(Held::NONE);
    log::cleared();
}

#[inline]
fn put(held: Held) {
    let me = Owner::now();
    SCOPES.with(|scopes| {
        if scopes.owner.get() == me.in_scope() {
            scopes.held.set(held);
        } else {
            bare::put(me, held);
        }
    });
}

/// A scope on the caller's stack. It ends on return and on panic.
pub(super) struct Scope {
    replaced: Entry,
    owner: Owner,
}

impl Scope {
    #[inline]
    pub(super) fn begin(held: Held) -> Self {
        let owner = Owner::now().in_scope();
        Self { replaced: SCOPES.with(|scopes| scopes.push(held, owner)), owner }
    }

    /// Returns what the body has made of the context so far.
    #[inline]
    pub(super) fn held(&self) -> Held {
        SCOPES.with(|scopes| if scopes.owner.get() == self.owner { scopes.held.get() } else { Held::NONE })
    }

    /// Ends a scope in which guards were forgotten, dropped out of order, or carried out of it. Scopes nest, so the
    /// replaced entry is restored. Its generation increases, so that those guards match no entry.
    #[cold]
    #[inline(never)]
    fn end_out_of_order(&self) {
        let Entry { held, owner, .. } = self.replaced;
        SCOPES.with(|scopes| scopes.push(held, owner));
        if !owner.is_in_scope() {
            with_own_bare(self.owner, |bare| {
                bare.push(bare.held.get(), bare.owner.get());
            });
        }
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if !SCOPES.with(|scopes| scopes.restore(self.replaced)) {
            self.end_out_of_order();
        }
    }
}

/// What leaving a guard's entry needs.
pub(super) struct Token {
    replaced: Entry,
    owner: Owner,
}

/// Enters a tenant for a guard: in the caller's innermost scope, or outside of its scopes. On hosts it does not fail.
#[allow(clippy::unnecessary_wraps, reason = "on bare metal it can fail")]
pub(super) fn enter(tenant: TenantId) -> Option<Token> {
    let me = Owner::now();
    let held = tenant.into();
    SCOPES.with(|scopes| {
        let owner = me.in_scope();
        if scopes.owner.get() == owner {
            return Some(Token { replaced: scopes.push(held, owner), owner });
        }
        bare::claim(me);
        Some(Token { replaced: with_bare(me, |bare| bare.push(held, me)), owner: me })
    })
}

/// Ends a guard's entry. In order, the replaced entry is restored; otherwise the owner's context is cleared.
pub(super) fn leave(token: &Token) {
    let Token { replaced, owner } = *token;
    let is_in_own_scope = SCOPES.with(|scopes| {
        let is_own = scopes.owner.get() == owner.in_scope();
        if is_own && !(owner.is_in_scope() && scopes.restore(replaced)) {
            scopes.push(Held::NONE, owner.in_scope());
        }
        is_own
    });
    if !is_in_own_scope {
        with_own_bare(owner, |bare| {
            if owner.is_in_scope() || !bare.restore(replaced) {
                bare.push(Held::NONE, bare.owner.get());
            }
        });
    }
}

/// Runs `body` with the owner's bare slot, unless another owner has taken it.
fn with_own_bare(owner: Owner, body: impl FnOnce(&Slot)) {
    with_bare(owner, |bare| {
        if bare.owner.get() == owner.outside_scope() {
            body(bare);
        }
    });
}

/// Without tokio, a thread is one owner.
#[cfg(not(feature = "tokio"))]
mod owner {
    /// The thread, and whether it is in a scope.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum Owner {
        OutsideScope,
        InScope,
    }

    #[allow(clippy::unused_self, reason = "with tokio an owner is a task")]
    impl Owner {
        pub(super) const FIRST: Self = Self::OutsideScope;

        #[inline]
        pub(super) fn now() -> Self {
            Self::OutsideScope
        }

        #[inline]
        pub(super) fn in_scope(self) -> Self {
            Self::InScope
        }

        #[inline]
        pub(super) fn outside_scope(self) -> Self {
            Self::OutsideScope
        }

        #[inline]
        pub(super) fn is_in_scope(self) -> bool {
            self == Self::InScope
        }
    }
}

/// Without tokio, a thread has one bare entry.
#[cfg(not(feature = "tokio"))]
mod bare {
    use super::{Held, Owner, Slot};

    std::thread_local! {
        static BARE: Slot = const { Slot::new() };
    }

    #[inline]
    pub(super) fn with_bare<R>(_owner: Owner, body: impl FnOnce(&Slot) -> R) -> R {
        BARE.with(body)
    }

    #[inline]
    pub(super) fn is_used() -> bool {
        true
    }

    #[inline]
    pub(super) fn seen(me: Owner) -> Held {
        with_bare(me, |bare| bare.held.get())
    }

    #[inline]
    pub(super) fn put(me: Owner, held: Held) {
        with_bare(me, |bare| bare.held.set(held));
    }

    #[inline]
    pub(super) fn claim(_me: Owner) {}
}

/// With tokio, an owner is a task, or a thread outside of tasks.
#[cfg(feature = "tokio")]
mod owner {
    use core::hash::{Hash, Hasher};

    use tokio::task::Id;

    /// The number of a task, or 0 outside of tasks; the lowest bit is set in a scope. One word, because it is compared by
    /// each operation.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct Owner(u64);

    const IN_SCOPE: u64 = 1;

    impl Owner {
        pub(super) const FIRST: Self = Self(0);

        #[inline]
        pub(super) fn now() -> Self {
            Self(tokio::task::try_id().map_or(0, |id| number(id) << 1))
        }

        #[inline]
        pub(super) fn in_scope(self) -> Self {
            Self(self.0 | IN_SCOPE)
        }

        #[inline]
        pub(super) fn outside_scope(self) -> Self {
            Self(self.0 & !IN_SCOPE)
        }

        #[inline]
        pub(super) fn is_in_scope(self) -> bool {
            self.0 & IN_SCOPE != 0
        }

        /// Returns the number of the task, or 0 outside of tasks.
        #[inline]
        pub(super) fn task(self) -> u64 {
            self.0 >> 1
        }
    }

    /// Returns the number inside of a task's id, which tokio only shows to a hasher. It is never 0.
    ///
    /// tokio takes it from a counter of 64 bits and does not use a number again
    /// (`task_ids_are_not_reused` in the tests). Its documentation reserves the right to do so after a task ended.
    #[inline]
    fn number(task: Id) -> u64 {
        struct Last(u64);
        impl Hasher for Last {
            fn write(&mut self, bytes: &[u8]) {
                for byte in bytes {
                    self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
                }
            }
            #[inline]
            fn write_u64(&mut self, number: u64) {
                self.0 = number;
            }
            fn finish(&self) -> u64 {
                self.0
            }
        }
        let mut last = Last(0);
        task.hash(&mut last);
        last.finish()
    }
}

/// With tokio, tasks have bare entries of their own.
///
/// A task that sets its tenant outside of a scope may move to another thread, set there, and return to what it set before.
/// So a task has one bare entry, which counts only on the thread on which the task set last.
///
/// The entries are in a table of fixed size, indexed by the number of the task. Numbers are consecutive. If the entries of
/// two tasks collide, the older one reads as unset.
#[cfg(feature = "tokio")]
mod bare {
    use std::cell::Cell;
    use std::sync::{Mutex, PoisonError};

    use super::{Held, Owner, Slot};
    use crate::context::owner::thread_number;

    /// The number of tasks that have a bare entry at the same time.
    const TASKS: usize = 4096;

    std::thread_local! {
        static THREAD: Slot = const { Slot::new() };
        static IS_USED: Cell<bool> = const { Cell::new(false) };
    }

    static ENTRIES: [Mutex<TaskEntry>; TASKS] = [const { Mutex::new(TaskEntry::new()) }; TASKS];

    struct TaskEntry {
        slot: Slot,
        /// The thread on which the task set last.
        thread: usize,
    }

    impl TaskEntry {
        const fn new() -> Self {
            Self { slot: Slot::new(), thread: 0 }
        }

        /// Whether the entry counts for the task on this thread.
        fn is_valid_for(&self, task: Owner) -> bool {
            self.slot.owner.get() == task && self.thread == thread_number::current()
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn with_entry<R>(task: Owner, body: impl FnOnce(&mut TaskEntry) -> R) -> R {
        let entry = &ENTRIES[task.task() as usize % TASKS];
        body(&mut entry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    pub(super) fn with_bare<R>(owner: Owner, body: impl FnOnce(&Slot) -> R) -> R {
        if owner.task() == 0 { THREAD.with(body) } else { with_entry(owner, |entry| body(&entry.slot)) }
    }

    /// Whether an owner has set a bare entry on this thread.
    #[inline]
    pub(super) fn is_used() -> bool {
        IS_USED.get()
    }

    pub(super) fn seen(me: Owner) -> Held {
        if me.task() == 0 {
            return THREAD.with(|thread| thread.held.get());
        }
        with_entry(me, |entry| if entry.is_valid_for(me) { entry.slot.held.get() } else { Held::NONE })
    }

    #[inline(never)]
    pub(super) fn put(me: Owner, held: Held) {
        claim(me);
        with_bare(me, |bare| bare.held.set(held));
    }

    /// Makes this the thread on which the task's entry counts. An entry of another thread or task is cleared.
    pub(super) fn claim(me: Owner) {
        IS_USED.set(true);
        if me.task() == 0 {
            return;
        }
        with_entry(me, |entry| {
            if !entry.is_valid_for(me) {
                entry.slot.push(Held::NONE, me);
                entry.thread = thread_number::current();
            }
        });
    }
}
