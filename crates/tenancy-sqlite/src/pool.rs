//! The open connections, and the calls that wait for them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tenancy::TenantId;

use crate::error::Error;
use crate::nesting;
use crate::session::Session;

/// The connections of all tenants.
///
/// A leased connection is not in the table, so the table's lock is held for lookups only: never while a statement runs, or
/// while a file is opened or closed.
pub(crate) struct Pool {
    table: Mutex<Table>,
    timeout: Duration,
}

/// What a lease is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Runs beside other reads and a write.
    Read,
    /// Runs beside reads.
    Write,
    /// Runs alone, and closes the tenant's connections.
    Exclusive,
}

struct Table {
    slots: HashMap<TenantId, Slot>,
    /// The tickets of calls that wait for room, in order of arrival. Each is also in the queue of its slot.
    room: VecDeque<(u64, TenantId)>,
    max_open: usize,
    max_readers: usize,
    /// The sum of [`Slot::open`].
    open: usize,
    /// The part of `open` that are second and further connections of a tenant.
    extra: usize,
    /// The number of leases.
    leases: usize,
    clock: u64,
    tickets: u64,
}

/// The connections of one tenant.
#[derive(Default)]
struct Slot {
    idle: Vec<Session>,
    /// Idle and leased connections.
    live: usize,
    /// The highest number of connections since the file was last closed completely.
    ///
    /// This number counts as open: SQLite keeps the descriptor of a closed connection until the last connection of the file
    /// is closed, because closing it would release the locks of the others. The next connection reuses the descriptor.
    open: usize,
    readers: usize,
    is_written: bool,
    is_exclusive: bool,
    file: File,
    /// The calls that wait, in order of arrival.
    queue: VecDeque<Waiter>,
    /// The time of the last use, by the table's clock.
    used: u64,
}

/// The state of a tenant's file.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum File {
    /// The next lease that opens a connection is alone: it creates the file, or applies migrations.
    #[default]
    Unknown,
    /// A lease opens the first connection. Others wait.
    Opening,
    /// The file was opened, so that several leases can open it at once.
    Ready,
}

struct Waiter {
    ticket: u64,
    access: Access,
    waker: Waker,
}

/// A tenant's connection, or the right to open one, in one hand.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    tenant: TenantId,
    access: Access,
    session: Option<Session>,
    /// The tenant's other connections, which an exclusive lease closes.
    others: Vec<Session>,
    /// Another tenant's connections, which must be closed before this lease opens one.
    evicted: Option<Box<Lease>>,
    /// Whether an exclusive lease returns the connections instead of closing them.
    spares: bool,
    /// Whether the slot waits for the connection that the lease opens.
    is_opening: bool,
}

/// The state of a call without a lease.
enum State {
    Waiting {
        for_room: bool,
    },
    /// The caller would wait for itself.
    Hopeless,
}

/// A wait for a lease, in order of arrival.
pub(crate) struct Acquire {
    pool: Arc<Pool>,
    tenant: TenantId,
    access: Access,
    ticket: Option<u64>,
}

impl Pool {
    pub(crate) fn new(max_open: usize, max_readers: usize, timeout: Duration) -> Self {
        let table = Table {
            slots: HashMap::new(),
            room: VecDeque::new(),
            max_open,
            max_readers,
            open: 0,
            extra: 0,
            leases: 0,
            clock: 0,
            tickets: 0,
        };
        Self { table: Mutex::new(table), timeout }
    }

    /// Identifies the pool in the list of a thread's bodies.
    pub(crate) fn id(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// Returns a lease as soon as there is one, and blocks the thread until then.
    pub(crate) fn lease(self: &Arc<Self>, tenant: TenantId, access: Access) -> Result<Lease, Error> {
        self.lease_within(self.timeout, tenant, access)
    }

    /// Like [`lease`](Self::lease), with another timeout.
    pub(crate) fn lease_within(
        self: &Arc<Self>,
        timeout: Duration,
        tenant: TenantId,
        access: Access,
    ) -> Result<Lease, Error> {
        let mut acquire = self.acquire(tenant, access)?;
        if let Ok(lease) = self.table().attempt(self, tenant, access, None) {
            return Ok(lease);
        }
        let start = Instant::now();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(lease) = Pin::new(&mut acquire).poll(&mut context) {
                return lease;
            }
            let left = timeout.checked_sub(start.elapsed()).ok_or(Error::Busy)?;
            thread::park_timeout(left);
        }
    }

    /// Returns a future of a lease. It has no timeout, and never blocks.
    pub(crate) fn acquire(self: &Arc<Self>, tenant: TenantId, access: Access) -> Result<Acquire, Error> {
        if nesting::contains(self.id(), tenant) {
            return Err(Error::Nested);
        }
        Ok(Acquire { pool: Arc::clone(self), tenant, access, ticket: None })
    }

    /// Returns a lease of an open connection for a read if one is free now.
    #[cfg(feature = "tokio")]
    pub(crate) fn lease_now(self: &Arc<Self>, tenant: TenantId) -> Option<Lease> {
        if nesting::contains(self.id(), tenant) {
            return None;
        }
        self.table().take_idle_reader(self, tenant)
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Closes the connections of the least recently used idle tenant. Returns false if no tenant is idle.
    pub(crate) fn close_one(self: &Arc<Self>) -> bool {
        let evicted = self.table().evict(self, None);
        evicted.is_some()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No operation on the table can panic halfway.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Tries to lease a connection. Calls with an earlier ticket go first.
    fn attempt(
        &mut self,
        pool: &Arc<Pool>,
        tenant: TenantId,
        access: Access,
        ticket: Option<u64>,
    ) -> Result<Lease, State> {
        const FOR_TENANT: State = State::Waiting { for_room: false };
        let ticket = ticket.unwrap_or(u64::MAX);
        let is_behind = self.room.front().is_some_and(|(first, _)| *first < ticket);
        let slot = self.slots.entry(tenant).or_default();
        if !slot.allows(access, self.max_readers) || slot.has_earlier(access, ticket, self.max_readers) {
            return Err(FOR_TENANT);
        }
        if access == Access::Exclusive {
            self.leases += 1;
            return Ok(Lease::all(pool, tenant, slot));
        }
        let for_reads = access == Access::Read;
        let found = slot.idle.iter().rposition(|session| session.is_for_reads() == for_reads);
        if let Some(index) = found {
            let session = slot.idle.swap_remove(index);
            return Ok(self.lend(pool, tenant, access, Some(session)));
        }
        let is_first = slot.open == 0;
        let is_reserved = slot.live < slot.open;
        // A half of the room is left to first connections, so that busy tenants do not keep out others.
        let may_open = is_reserved || is_first || self.extra < (self.max_open - 1) / 2;
        if is_reserved || (may_open && !is_behind && self.open < self.max_open) {
            return Ok(self.lend(pool, tenant, access, None));
        }
        // Without room, a connection changes from reads to writes, or back.
        if let Some(session) = slot.idle.pop() {
            return Ok(self.lend(pool, tenant, access, Some(session)));
        }
        if may_open
            && !is_behind
            && let Some(evicted) = self.evict(pool, Some(tenant))
        {
            let mut lease = self.lend(pool, tenant, access, None);
            lease.evicted = Some(Box::new(evicted));
            return Ok(lease);
        }
        // If bodies of this thread have all leases, none of them ends while the thread waits.
        if is_first && self.leases > 0 && self.leases == nesting::depth(pool.id()) {
            self.settle(tenant);
            return Err(State::Hopeless);
        }
        Err(State::Waiting { for_room: is_first })
    }

    #[cfg(feature = "tokio")]
    fn take_idle_reader(&mut self, pool: &Arc<Pool>, tenant: TenantId) -> Option<Lease> {
        let slot = self.slots.get_mut(&tenant)?;
        let is_free = slot.allows(Access::Read, self.max_readers)
            && !slot.has_earlier(Access::Read, u64::MAX, self.max_readers);
        let index = slot.idle.iter().rposition(Session::is_for_reads).filter(|_| is_free)?;
        let session = slot.idle.swap_remove(index);
        Some(self.lend(pool, tenant, Access::Read, Some(session)))
    }

    /// Leases a connection of a slot for a read or a write, or the right to open one.
    fn lend(
        &mut self,
        pool: &Arc<Pool>,
        tenant: TenantId,
        access: Access,
        session: Option<Session>,
    ) -> Lease {
        let slot = self.slots.entry(tenant).or_default();
        let is_opening = session.is_none() && slot.file != File::Ready;
        if is_opening {
            slot.file = File::Opening;
        }
        if session.is_none() {
            slot.live += 1;
            if slot.live > slot.open {
                slot.open += 1;
                self.open += 1;
                self.extra += usize::from(slot.open > 1);
            }
        }
        if access == Access::Read {
            slot.readers += 1;
        } else {
            slot.is_written = true;
        }
        self.leases += 1;
        let mut lease = Lease::new(pool, tenant, access);
        lease.session = session;
        lease.is_opening = is_opening;
        lease
    }

    /// Leases all connections of the least recently used tenant without a call, to close them.
    fn evict(&mut self, pool: &Arc<Pool>, except: Option<TenantId>) -> Option<Lease> {
        let idle =
            self.slots.iter_mut().filter(|(tenant, slot)| slot.is_evictable() && Some(**tenant) != except);
        let (tenant, slot) = idle.min_by_key(|(_, slot)| slot.used)?;
        self.leases += 1;
        Some(Lease::all(pool, *tenant, slot))
    }

    /// Adds a call to the queues, or replaces its waker.
    fn wait(
        &mut self,
        tenant: TenantId,
        access: Access,
        ticket: Option<u64>,
        for_room: bool,
        waker: &Waker,
    ) -> u64 {
        let ticket = ticket.unwrap_or_else(|| {
            self.tickets += 1;
            self.tickets
        });
        let queue = &mut self.slots.entry(tenant).or_default().queue;
        match queue.iter_mut().find(|waiter| waiter.ticket == ticket) {
            Some(waiter) => waiter.waker.clone_from(waker),
            None => queue.push_back(Waiter { ticket, access, waker: waker.clone() }),
        }
        let index = self.room.partition_point(|(other, _)| *other < ticket);
        let is_listed = self.room.get(index).is_some_and(|(other, _)| *other == ticket);
        if for_room && !is_listed {
            self.room.insert(index, (ticket, tenant));
        } else if !for_room && is_listed {
            self.room.remove(index);
        }
        ticket
    }

    /// Removes a call from the queues.
    fn leave(&mut self, tenant: TenantId, ticket: u64) {
        self.room.retain(|(other, _)| *other != ticket);
        if let Some(slot) = self.slots.get_mut(&tenant) {
            slot.queue.retain(|waiter| waiter.ticket != ticket);
        }
        self.settle(tenant);
    }

    /// Removes a slot without connections and calls.
    fn settle(&mut self, tenant: TenantId) {
        if self.slots.get(&tenant).is_some_and(Slot::is_unused) {
            self.slots.remove(&tenant);
        }
    }

    /// Returns the wakers of the calls that may go on after a change of a slot. They are woken without the lock.
    fn next(&self, tenant: TenantId) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if let Some(slot) = self.slots.get(&tenant) {
            for access in [Access::Read, Access::Write, Access::Exclusive] {
                let first = slot.queue.iter().find(|waiter| waiter.access == access);
                wakers.extend(first.map(|waiter| waiter.waker.clone()));
            }
        }
        if let Some((ticket, tenant)) = self.room.front() {
            let queue = self.slots.get(tenant).map(|slot| &slot.queue);
            let first = queue.into_iter().flatten().find(|waiter| waiter.ticket == *ticket);
            wakers.extend(first.map(|waiter| waiter.waker.clone()));
        }
        wakers
    }

    /// Takes back a lease, and the connections that stay open.
    fn put(&mut self, tenant: TenantId, access: Access, mut sessions: Vec<Session>) {
        self.leases -= 1;
        let Some(slot) = self.slots.get_mut(&tenant) else { return };
        match access {
            Access::Read => slot.readers -= 1,
            Access::Write => slot.is_written = false,
            Access::Exclusive => slot.is_exclusive = false,
        }
        slot.idle.append(&mut sessions);
        slot.live = slot.idle.len() + slot.readers + usize::from(slot.is_written);
        if access != Access::Exclusive {
            self.clock += 1;
            slot.used = self.clock;
        }
        if slot.live == 0 {
            slot.file = File::Unknown;
            self.open -= slot.open;
            self.extra -= slot.open.saturating_sub(1);
            slot.open = 0;
        }
        self.settle(tenant);
    }
}

impl Slot {
    /// Whether the leases of the tenant allow another one.
    fn allows(&self, access: Access, max_readers: usize) -> bool {
        !self.is_exclusive
            && self.file != File::Opening
            && match access {
                Access::Read => self.readers < max_readers,
                Access::Write => !self.is_written,
                Access::Exclusive => self.readers == 0 && !self.is_written,
            }
    }

    /// Whether a call that came earlier goes first.
    ///
    /// A read does not wait for a write that waits for another write, nor a write for a read that waits for other reads.
    fn has_earlier(&self, access: Access, ticket: u64, max_readers: usize) -> bool {
        self.queue.iter().take_while(|waiter| waiter.ticket < ticket).any(|waiter| {
            waiter.access == access
                || waiter.access == Access::Exclusive
                || access == Access::Exclusive
                || self.allows(waiter.access, max_readers)
        })
    }

    fn is_evictable(&self) -> bool {
        self.open > 0
            && self.live == self.idle.len()
            && !self.is_exclusive
            && self.readers == 0
            && !self.is_written
            && self.queue.is_empty()
    }

    fn is_unused(&self) -> bool {
        self.live == 0 && !self.is_exclusive && self.readers == 0 && !self.is_written && self.queue.is_empty()
    }
}

impl Lease {
    /// Leases all connections of a slot that has no other lease.
    fn all(pool: &Arc<Pool>, tenant: TenantId, slot: &mut Slot) -> Self {
        slot.is_exclusive = true;
        let mut lease = Self::new(pool, tenant, Access::Exclusive);
        lease.others = std::mem::take(&mut slot.idle);
        lease
    }

    fn new(pool: &Arc<Pool>, tenant: TenantId, access: Access) -> Self {
        Self {
            pool: Arc::clone(pool),
            tenant,
            access,
            session: None,
            others: Vec::new(),
            evicted: None,
            spares: false,
            is_opening: false,
        }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Closes the evicted connections. This must happen before the lease opens a connection.
    pub(crate) fn make_room(&mut self) {
        self.evicted = None;
    }

    /// Returns the evicted connections, because the lease opens none: the tenant has no file.
    pub(crate) fn open_none(&mut self) {
        if let Some(mut evicted) = self.evicted.take() {
            evicted.spares = true;
        }
        self.end_opening(File::Unknown);
    }

    /// Adds the connection that was opened for the lease. Others may open the file from now on.
    pub(crate) fn keep(&mut self, session: Session) {
        self.session = Some(session);
        self.end_opening(File::Ready);
    }

    fn end_opening(&mut self, file: File) {
        if !std::mem::take(&mut self.is_opening) {
            return;
        }
        let wakers = {
            let mut table = self.pool.table();
            if let Some(slot) = table.slots.get_mut(&self.tenant) {
                slot.file = file;
            }
            table.next(self.tenant)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Closes the tenant's connections, and keeps the lease.
    pub(crate) fn close(&mut self) {
        self.session = None;
        self.others.clear();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Connections are closed before the table is locked. SQLite removes the log when it closes a file, by its name, so
        // nobody may open the file until then.
        self.evicted = None;
        if !self.spares {
            self.others.clear();
        }
        let mut sessions = std::mem::take(&mut self.others);
        sessions.extend(self.session.take().filter(Session::is_idle));
        let wakers = {
            let mut table = self.pool.table();
            if self.is_opening
                && let Some(slot) = table.slots.get_mut(&self.tenant)
            {
                slot.file = File::Unknown;
            }
            table.put(self.tenant, self.access, sessions);
            table.next(self.tenant)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Future for Acquire {
    type Output = Result<Lease, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut table = this.pool.table();
        let result = match table.attempt(&this.pool, this.tenant, this.access, this.ticket) {
            Ok(lease) => Ok(lease),
            Err(State::Hopeless) => Err(Error::Busy),
            Err(State::Waiting { for_room }) => {
                let ticket = table.wait(this.tenant, this.access, this.ticket, for_room, context.waker());
                this.ticket = Some(ticket);
                return Poll::Pending;
            }
        };
        drop(table);
        this.leave();
        Poll::Ready(result)
    }
}

impl Acquire {
    /// Leaves the queues, and wakes the next calls.
    fn leave(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let wakers = {
            let mut table = self.pool.table();
            table.leave(self.tenant, ticket);
            table.next(self.tenant)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Wakes a blocked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
