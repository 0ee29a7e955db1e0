//! The open files: a few at once, and each in one hand.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tenancy::TenantId;

use crate::error::Error;
use crate::session::Session;

/// A lent connection is out of the table, so that its lock is held for look-ups alone: never while a statement runs,
/// or a file is opened or closed.
#[derive(Debug)]
pub(crate) struct Pool {
    table: Mutex<Table>,
    /// A slot was given back, or is gone.
    room: Condvar,
    patience: Duration,
}

#[derive(Debug)]
struct Table {
    slots: HashMap<TenantId, Slot>,
    max: usize,
    clock: u64,
}

/// A tenant's place among those that may be open.
#[derive(Debug)]
struct Slot {
    /// None while it is lent.
    session: Option<Session>,
    holder: Option<ThreadId>,
    used: u64,
    /// It was given back, or is gone.
    freed: Arc<Condvar>,
}

/// A tenant's place in one hand, with its connection or without.
#[derive(Debug)]
pub(crate) struct Loan<'p> {
    pool: &'p Pool,
    tenant: TenantId,
    session: Option<Session>,
}

/// What a look at the table says.
enum Look {
    Given(Option<Session>),
    /// There is room once another's file is closed.
    Evict(TenantId, Option<Session>),
    Wait(Option<Arc<Condvar>>),
    Never(Error),
}

impl Pool {
    pub(crate) fn new(max: NonZeroUsize, patience: Duration) -> Self {
        let table = Table { slots: HashMap::new(), max: max.get(), clock: 0 };
        Self { table: Mutex::new(table), room: Condvar::new(), patience }
    }

    /// The tenant's place, as soon as nobody else has it and there is room.
    pub(crate) fn lend(&self, tenant: TenantId) -> Result<Loan<'_>, Error> {
        let start = Instant::now();
        let mut table = self.table();
        loop {
            match table.look(tenant, thread::current().id()) {
                Look::Given(session) => return Ok(Loan { pool: self, tenant, session }),
                Look::Never(error) => return Err(error),
                Look::Evict(other, session) => {
                    drop(table);
                    // It has its slot until it is closed: SQLite removes a log when it closes a file, by its name.
                    Loan { pool: self, tenant: other, session }.close();
                    table = self.table();
                }
                Look::Wait(freed) => {
                    let left = self.patience.checked_sub(start.elapsed()).ok_or(Error::Busy)?;
                    let freed = freed.as_deref().unwrap_or(&self.room);
                    let waited = freed.wait_timeout(table, left);
                    table = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under the lock can leave it half done.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn look(&mut self, tenant: TenantId, me: ThreadId) -> Look {
        if let Some(slot) = self.slots.get_mut(&tenant) {
            return match slot.holder {
                Some(holder) if holder == me => Look::Never(Error::Nested),
                Some(_) => Look::Wait(Some(Arc::clone(&slot.freed))),
                None => Look::Given(slot.lend(me)),
            };
        }
        if self.slots.len() < self.max {
            self.slots.insert(tenant, Slot::lent(me));
            return Look::Given(None);
        }
        // Bodies in bodies have all: none of them ends while this one waits.
        let is_hopeless = self.slots.values().all(|slot| slot.holder == Some(me));
        let idle = self.slots.iter_mut().filter(|(_, slot)| slot.holder.is_none());
        match idle.min_by_key(|(_, slot)| slot.used) {
            Some((other, slot)) => Look::Evict(*other, slot.lend(me)),
            None if is_hopeless => Look::Never(Error::Busy),
            None => Look::Wait(None),
        }
    }

    /// Takes back a connection, or the place of one that is closed.
    fn put(&mut self, tenant: TenantId, session: Option<Session>) {
        let Some(session) = session else {
            if let Some(slot) = self.slots.remove(&tenant) {
                // Who waits for it waits for room now.
                slot.freed.notify_all();
            }
            return;
        };
        self.clock += 1;
        if let Some(slot) = self.slots.get_mut(&tenant) {
            slot.session = Some(session);
            slot.holder = None;
            slot.used = self.clock;
            slot.freed.notify_one();
        }
    }
}

impl Slot {
    fn lent(holder: ThreadId) -> Self {
        Self { session: None, holder: Some(holder), used: 0, freed: Arc::default() }
    }

    fn lend(&mut self, holder: ThreadId) -> Option<Session> {
        self.holder = Some(holder);
        self.session.take()
    }
}

impl Loan<'_> {
    pub(crate) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Gives it a connection, which the pool keeps.
    pub(crate) fn keep(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// Closes the connection; the place is still in this hand.
    pub(crate) fn hang_up(&mut self) {
        self.session = None;
    }

    fn close(mut self) {
        self.hang_up();
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        // Closed here, where the table is not locked.
        let session = self.session.take().filter(Session::is_idle);
        self.pool.table().put(self.tenant, session);
        // All: one that waits for a tenant may find it lent again, and would keep the word from who waits for another.
        self.pool.room.notify_all();
    }
}
