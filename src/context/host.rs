//! Hosts: each thread has a slot for scopes. With tokio there are slots for what is set outside of scopes, too.
//!
//! A scope's entry belongs to the code that opened the scope. Scopes of one thread nest, also those of different tasks,
//! because a task that is polled inside of another's scope ends its own scopes before it returns. So one slot holds the
//! innermost scope, and each scope restores the entry that it replaced. Only its owner and nested scopes change an entry.
//!
//! A *bare* entry is set outside of the owner's scopes. It belongs to the tokio task that set it, or to the thread outside
//! of tasks, and other owners have slots of their own. Without tokio a thread is one owner: its bare entry is in the slot
//! of scopes, as the entry of an outermost scope.
//!
//! The generations in a slot follow the rules of a [`TenantCell`](crate::TenantCell)'s slot.

use std::cell::Cell;
use std::mem::forget;

use self::bare::with_bare;
use self::owner::{Owner, Stamp};
use super::entry::Held;
use super::log;
use crate::{SetTenantContextError, TenantId};

std::thread_local! {
    // One variable, so that its address is computed once. Without a destructor, so that it can be used while the thread
    // ends.
    static SLOTS: Slots = const { Slots::new() };
}

/// The slots of a thread, in one line of the cache.
#[repr(align(64))]
struct Slots {
    /// The innermost scope.
    scope: Slot,
    /// What the thread has set outside of tasks and scopes.
    #[cfg(feature = "tokio")]
    bare: Slot,
    /// Whether an owner has set a bare entry on this thread.
    #[cfg(feature = "tokio")]
    is_bare_used: Cell<bool>,
}

impl Slots {
    const fn new() -> Self {
        Self {
            scope: Slot::new(),
            #[cfg(feature = "tokio")]
            bare: Slot::new(),
            #[cfg(feature = "tokio")]
            is_bare_used: Cell::new(false),
        }
    }
}

struct Slot {
    held: Cell<Held>,
    stamp: Cell<Stamp>,
}

#[derive(Clone, Copy)]
struct Entry {
    held: Held,
    stamp: Stamp,
}

/// What leaving an entry needs: the entry's own stamp, and the entry that it replaced.
#[derive(Clone, Copy)]
pub(super) struct Token {
    replaced: Entry,
    stamp: Stamp,
}

impl Slot {
    const fn new() -> Self {
        Self { held: Cell::new(Held::NONE), stamp: Cell::new(Stamp::FIRST) }
    }

    /// Whether the entry is of `owner`: in a scope of this owner, or outside of its scopes.
    #[inline]
    fn is_of(&self, owner: Owner) -> bool {
        self.stamp.get().owner() == owner
    }

    /// Replaces the entry by one of the next generation.
    #[inline]
    fn push(&self, held: Held, owner: Owner) -> Token {
        let replaced = Entry { held: self.held.get(), stamp: self.stamp.get() };
        let stamp = replaced.stamp.next(owner);
        self.held.set(held);
        self.stamp.set(stamp);
        Token { replaced, stamp }
    }

    /// Restores the entry that the token's own entry replaced. Fails if another entry is there.
    #[inline]
    fn restore(&self, Token { replaced, stamp }: Token) -> bool {
        let is_innermost = self.stamp.get().is_generation_of(stamp);
        if is_innermost {
            self.held.set(replaced.held);
            self.stamp.set(replaced.stamp);
        }
        is_innermost
    }
}

/// Returns what the caller may see: its innermost scope, and outside of its scopes its bare entry.
#[inline]
pub(super) fn seen() -> Held {
    SLOTS.with(|slots| {
        let owner = slots.scope.stamp.get().owner();
        if owner.is_in_scope() {
            let me = Owner::now();
            return if owner == me.in_scope() { slots.scope.held.get() } else { bare::seen(slots, me) };
        }
        if bare::is_used(slots) { bare::seen(slots, Owner::now()) } else { Held::NONE }
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
    SLOTS.with(|slots| {
        if slots.scope.is_of(me.in_scope()) {
            slots.scope.held.set(held);
        } else {
            bare::put(slots, me, held);
        }
    });
}

/// A scope on the caller's stack. It ends by a call, or on panic by its drop.
pub(super) struct Scope(Token);

impl Scope {
    #[inline]
    pub(super) fn begin(held: Held) -> Self {
        let owner = Owner::now().in_scope();
        Self(SLOTS.with(|slots| slots.scope.push(held, owner)))
    }

    #[inline]
    pub(super) fn end(self) {
        self.take();
    }

    /// Ends the scope, and returns what its body has made of the context.
    #[inline]
    pub(super) fn take(self) -> Held {
        let token = self.0;
        // First, because code that may drop the scope keeps it in memory.
        forget(self);
        SLOTS.with(|slots| slots.end_scope(token))
    }
}

impl Drop for Scope {
    #[cold]
    fn drop(&mut self) {
        SLOTS.with(|slots| slots.end_scope(self.0));
    }
}

impl Slots {
    /// Restores what the scope replaced, and returns what its body has made of the context.
    #[inline]
    fn end_scope(&self, token: Token) -> Held {
        let left = self.scope.held.get();
        if self.scope.restore(token) {
            return left;
        }
        let Token { replaced, stamp } = token;
        self.end_scope_out_of_order(replaced.held, replaced.stamp.owner(), stamp.owner())
    }

    /// Ends a scope in which guards were forgotten, dropped out of order, or carried out of it. Scopes nest, so the replaced
    /// entry is restored. Its generation increases, so that those guards match no entry.
    #[cold]
    #[inline(never)]
    fn end_scope_out_of_order(&self, replaced: Held, outer: Owner, owner: Owner) -> Held {
        let left = if self.scope.is_of(owner) { self.scope.held.get() } else { Held::NONE };
        self.scope.push(replaced, outer);
        if !outer.is_in_scope() {
            with_own_bare(self, owner, |bare| {
                bare.push(bare.held.get(), bare.stamp.get().owner());
            });
        }
        left
    }
}

/// Enters a tenant for a guard: in the caller's innermost scope, or outside of its scopes. On hosts it does not fail.
#[allow(clippy::unnecessary_wraps, reason = "on bare metal it can fail")]
pub(super) fn enter(tenant: TenantId) -> Option<Token> {
    let me = Owner::now();
    let held = tenant.into();
    SLOTS.with(|slots| {
        if slots.scope.is_of(me.in_scope()) {
            return Some(slots.scope.push(held, me.in_scope()));
        }
        bare::claim(slots, me);
        Some(with_bare(slots, me, |bare| bare.push(held, me)))
    })
}

/// Ends a guard's entry. In order, the replaced entry is restored; otherwise the owner's context is cleared.
pub(super) fn leave(token: &Token) {
    let owner = token.stamp.owner();
    SLOTS.with(|slots| {
        if slots.scope.is_of(owner.in_scope()) {
            if !(owner.is_in_scope() && slots.scope.restore(*token)) {
                slots.scope.push(Held::NONE, owner.in_scope());
            }
        } else {
            with_own_bare(slots, owner, |bare| {
                if owner.is_in_scope() || !bare.restore(*token) {
                    bare.push(Held::NONE, owner.outside_scope());
                }
            });
        }
    });
}

/// Runs `body` with the owner's bare slot, unless another owner has taken it.
fn with_own_bare(slots: &Slots, owner: Owner, body: impl FnOnce(&Slot)) {
    with_bare(slots, owner, |bare| {
        if bare.is_of(owner.outside_scope()) {
            body(bare);
        }
    });
}

/// Without tokio, a thread is one owner, and what it sets outside of scopes is the entry of its outermost scope.
#[cfg(not(feature = "tokio"))]
mod owner {
    /// The thread.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) struct Owner;

    #[allow(clippy::unused_self, reason = "with tokio an owner is a task")]
    impl Owner {
        #[inline]
        pub(super) fn now() -> Self {
            Self
        }

        #[inline]
        pub(super) fn in_scope(self) -> Self {
            self
        }

        #[inline]
        pub(super) fn outside_scope(self) -> Self {
            self
        }

        #[inline]
        pub(super) fn is_in_scope(self) -> bool {
            true
        }
    }

    /// An entry's generation.
    #[derive(Clone, Copy)]
    pub(super) struct Stamp(u64);

    #[allow(clippy::unused_self, reason = "with tokio a stamp has an owner")]
    impl Stamp {
        pub(super) const FIRST: Self = Self(0);

        #[inline]
        pub(super) fn owner(self) -> Owner {
            Owner
        }

        /// Returns the stamp of an entry that `owner` creates after this one.
        #[inline]
        pub(super) fn next(self, _owner: Owner) -> Self {
            Self(self.0.wrapping_add(1))
        }

        /// Whether both are the stamp of one entry.
        #[inline]
        pub(super) fn is_generation_of(self, other: Self) -> bool {
            self.0 == other.0
        }
    }
}

/// Without tokio, a thread has one slot.
#[cfg(not(feature = "tokio"))]
mod bare {
    use super::{Held, Owner, Slot, Slots};

    #[inline]
    pub(super) fn with_bare<R>(slots: &Slots, _owner: Owner, body: impl FnOnce(&Slot) -> R) -> R {
        body(&slots.scope)
    }

    #[inline]
    pub(super) fn is_used(_slots: &Slots) -> bool {
        true
    }

    #[inline]
    pub(super) fn seen(slots: &Slots, _me: Owner) -> Held {
        slots.scope.held.get()
    }

    #[inline]
    pub(super) fn put(slots: &Slots, _me: Owner, held: Held) {
        slots.scope.held.set(held);
    }

    #[inline]
    pub(super) fn claim(_slots: &Slots, _me: Owner) {}
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

    /// An entry's owner and generation.
    #[derive(Clone, Copy)]
    pub(super) struct Stamp {
        owner: Owner,
        generation: u64,
    }

    impl Stamp {
        pub(super) const FIRST: Self = Self { owner: Owner(0), generation: 0 };

        #[inline]
        pub(super) fn owner(self) -> Owner {
            self.owner
        }

        /// Returns the stamp of an entry that `owner` creates after this one.
        #[inline]
        pub(super) fn next(self, owner: Owner) -> Self {
            Self { owner, generation: self.generation.wrapping_add(1) }
        }

        /// Whether both are the stamp of one entry. In a slot, a generation has one owner.
        #[inline]
        pub(super) fn is_generation_of(self, other: Self) -> bool {
            self.generation == other.generation
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
    use std::sync::{Mutex, PoisonError};

    use super::{Held, Owner, Slot, Slots};
    use crate::context::owner::thread_number;

    /// The number of tasks that have a bare entry at the same time.
    const TASKS: usize = 4096;

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
            self.slot.is_of(task) && self.thread == thread_number::current()
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the lowest bits")]
    fn with_entry<R>(task: Owner, body: impl FnOnce(&mut TaskEntry) -> R) -> R {
        let entry = &ENTRIES[task.task() as usize % TASKS];
        body(&mut entry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    pub(super) fn with_bare<R>(slots: &Slots, owner: Owner, body: impl FnOnce(&Slot) -> R) -> R {
        if owner.task() == 0 { body(&slots.bare) } else { with_entry(owner, |entry| body(&entry.slot)) }
    }

    /// Whether an owner has set a bare entry on this thread.
    #[inline]
    pub(super) fn is_used(slots: &Slots) -> bool {
        slots.is_bare_used.get()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn seen(slots: &Slots, me: Owner) -> Held {
        if me.task() == 0 {
            return slots.bare.held.get();
        }
        with_entry(me, |entry| if entry.is_valid_for(me) { entry.slot.held.get() } else { Held::NONE })
    }

    #[cold]
    #[inline(never)]
    pub(super) fn put(slots: &Slots, me: Owner, held: Held) {
        claim(slots, me);
        with_bare(slots, me, |bare| bare.held.set(held));
    }

    /// Makes this the thread on which the task's entry counts. An entry of another thread or task is cleared.
    pub(super) fn claim(slots: &Slots, me: Owner) {
        slots.is_bare_used.set(true);
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
