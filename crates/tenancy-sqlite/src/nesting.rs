//! The bodies that run on this thread. A body that used its own tenant's file again would wait for itself.

use std::cell::RefCell;
use std::marker::PhantomData;

use tenancy::TenantId;

thread_local! {
    /// The pool and the tenant of each body, the innermost last.
    static BODIES: RefCell<Vec<(usize, TenantId)>> = const { RefCell::new(Vec::new()) };
}

/// A body that runs on this thread.
#[must_use]
pub(crate) struct Running {
    /// A body ends on the thread where it began.
    not_send: PhantomData<*const ()>,
}

/// Adds a body.
pub(crate) fn enter(pool: usize, tenant: TenantId) -> Running {
    BODIES.with_borrow_mut(|bodies| bodies.push((pool, tenant)));
    Running { not_send: PhantomData }
}

/// Whether a body of this tenant runs.
pub(crate) fn contains(pool: usize, tenant: TenantId) -> bool {
    BODIES.with_borrow(|bodies| bodies.contains(&(pool, tenant)))
}

/// The number of bodies of this pool. Each has a lease.
pub(crate) fn depth(pool: usize) -> usize {
    BODIES.with_borrow(|bodies| bodies.iter().filter(|(other, _)| *other == pool).count())
}

impl Drop for Running {
    fn drop(&mut self) {
        // Bodies end in reverse order, also in a panic.
        BODIES.with_borrow_mut(Vec::pop);
        let _ = self.not_send;
    }
}
