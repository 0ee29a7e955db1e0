//! Many owners on one thread, each compared with a model of its own by random steps.
//!
//! The owners are the thread and tokio tasks. The thread makes steps, and at any of them, inside of scopes and with guards
//! alive, it lets the tasks run. The tasks are bare ones, futures in a tenant, and consumers of a stream in a tenant. Some
//! are aborted, and continue their steps in their destructors. Guards live longer than their scopes and polls.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::{FutureExt, StreamExt, stream};
use tenancy::{TenantContext, TenantFutureExt, TenantId, TenantStreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet, yield_now};

use crate::cell_model::{Current, Others, Walk, tenant};

/// Miri is slower by three orders of magnitude.
const STEPS: u64 = if cfg!(miri) { 2_000 } else { 2_000_000 };
/// The number of tasks at a time.
const TASKS: usize = 20;
/// The most steps of one task.
const STEPS_OF_TASK: u64 = 2_000;

fn add(counter: &Cell<u64>, amount: u64) {
    counter.set(counter.get() + amount);
}

/// What all owners share.
#[derive(Default)]
struct Shared {
    others: Rc<Others>,
    steps: Cell<u64>,
    kinds: [Cell<u64>; 3],
    dropped_early: Cell<u64>,
}

/// A task or a stream: its steps, and the model of what it sees.
struct Owner {
    walk: Walk<'static, Current>,
    /// Whether each of its polls, and its drop, is a scope.
    is_wrapped: bool,
    shared: Rc<Shared>,
}

impl Owner {
    fn bare(seed: u64, shared: &Rc<Shared>) -> Self {
        let walk = Walk::new(&Current, seed, None).beside(Rc::clone(&shared.others));
        Self { walk, is_wrapped: false, shared: Rc::clone(shared) }
    }

    fn wrapped(seed: u64, shared: &Rc<Shared>, held: Option<TenantId>) -> Self {
        Self { walk: Walk::new(&Current, seed, held), is_wrapped: true, shared: Rc::clone(shared) }
    }

    fn is_done(&self) -> bool {
        self.walk.steps >= STEPS_OF_TASK
    }

    /// Makes steps in one poll, or in the drop. Returns whether its scope ends with guards out of order.
    fn poll(&mut self, steps: u64) -> bool {
        if self.is_wrapped {
            self.walk.renew();
        }
        self.walk.check();
        for _ in 0..steps {
            add(&self.shared.steps, self.walk.advance());
        }
        self.is_wrapped && self.walk.is_disordered()
    }

    /// As [`poll`](Self::poll), for an owner that other owners' scopes surround directly.
    fn poll_task(&mut self, steps: u64) {
        if self.poll(steps) {
            self.shared.others.disordered.set(true);
        }
    }
}

/// Continues its steps in the destructor.
struct Task {
    owner: Owner,
    /// Whether a stream inside the task ended a poll with guards out of order.
    source_is_disordered: Rc<Cell<bool>>,
}

impl Task {
    fn new(owner: Owner) -> Self {
        Self { owner, source_is_disordered: Rc::default() }
    }

    /// Accounts for the last poll of the stream.
    fn polled_source(&self) {
        if self.source_is_disordered.take() {
            self.owner.walk.inner_is_disordered();
        }
        self.owner.walk.check();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // The stream was dropped before.
            self.polled_source();
            add(&self.owner.shared.dropped_early, u64::from(!self.owner.is_done()));
            self.owner.poll_task(4);
        }
    }
}

/// A stream that continues its steps in the destructor.
struct Source {
    owner: Owner,
    is_disordered: Rc<Cell<bool>>,
}

impl Source {
    fn poll(&mut self, steps: u64) {
        if self.owner.poll(steps) {
            self.is_disordered.set(true);
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.poll(4);
        }
    }
}

async fn walk(mut task: Task) {
    while !task.owner.is_done() {
        task.owner.poll_task(1);
        yield_now().await;
    }
    // Its destructor runs in a poll of its own.
}

/// A task that consumes a stream. Both make steps.
async fn consume(mut task: Task, owner: Owner) {
    let mut source = Source { owner, is_disordered: Rc::clone(&task.source_is_disordered) };
    let items = stream::poll_fn(move |_| {
        source.poll(1);
        Poll::Ready((!source.owner.is_done()).then_some(()))
    });
    let mut items = pin!(items.in_tenant(source_tenant()));
    while !task.owner.is_done() {
        task.owner.poll_task(1);
        let _ = items.next().await;
        task.polled_source();
        yield_now().await;
    }
}

fn source_tenant() -> TenantId {
    tenant(3)
}

/// Tasks, of which some run at each step of the thread.
struct Tasks {
    runtime: Runtime,
    local: LocalSet,
    running: Vec<JoinHandle<()>>,
    random: fastrand::Rng,
    shared: Rc<Shared>,
}

impl Tasks {
    fn new(seed: u64, shared: &Rc<Shared>) -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let (local, random) = (LocalSet::new(), fastrand::Rng::with_seed(seed));
        Self { runtime, local, running: Vec::new(), random, shared: Rc::clone(shared) }
    }

    fn spawn(&mut self) {
        let (seed, held) = (self.random.u64(..), tenant(self.random.u64(..)));
        let kind = self.random.usize(..3);
        add(&self.shared.kinds[kind], 1);
        self.running.push(match kind {
            0 => self.local.spawn_local(walk(Task::new(Owner::bare(seed, &self.shared)))),
            1 => {
                let owner = Owner::wrapped(seed, &self.shared, Some(held));
                self.local.spawn_local(walk(Task::new(owner)).in_tenant(held))
            }
            _ => {
                let source = Owner::wrapped(!seed, &self.shared, Some(source_tenant()));
                let task = Task::new(Owner::bare(seed, &self.shared));
                self.local.spawn_local(consume(task, source))
            }
        });
    }

    /// Lets tasks run. Returns whether the guards of the caller's current frame clear from now on.
    fn run(&mut self, is_in_scope: bool) -> bool {
        while self.running.len() < TASKS {
            self.spawn();
        }
        if self.random.u8(..16) == 0 {
            let task = self.random.usize(..TASKS);
            self.running[task].abort();
        }
        let others = &self.shared.others;
        let is_wrapped = self.random.bool();
        others.in_scope.set(is_in_scope || is_wrapped);
        if is_wrapped {
            // The tasks run in the polls of a future in a tenant.
            self.runtime.block_on(self.local.run_until(yield_now()).in_tenant(tenant(4)));
        } else {
            self.runtime.block_on(self.local.run_until(yield_now()));
        }
        others.in_scope.set(false);
        self.running.retain_mut(|task| match task.now_or_never() {
            None => true,
            Some(Ok(())) => false,
            Some(Err(error)) if error.is_cancelled() => false,
            Some(Err(error)) => panic!("a task does not match its model: {error}"),
        });
        others.disordered.take() && (is_in_scope || is_wrapped)
    }
}

#[test]
fn owners_behave_like_models_of_their_own() {
    let shared = Rc::new(Shared::default());
    let mut seed = 0;
    while shared.steps.get() < STEPS {
        seed += 1;
        let tasks = RefCell::new(Tasks::new(seed, &shared));
        TenantContext::clear();
        let run_others = |is_in_scope| tasks.borrow_mut().run(is_in_scope);
        let mut thread = Walk::new(&Current, seed, None).interleaved(Box::new(run_others));
        while thread.steps < 10_000 && shared.steps.get() < STEPS {
            thread.walk(0, thread.steps + 100);
        }
        add(&shared.steps, thread.steps);
        drop(thread);
        // Drops the tasks that are left.
        tasks.into_inner().shared.others.in_scope.set(false);
    }
    TenantContext::clear();
    let kinds = shared.kinds.each_ref().map(Cell::get);
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    assert!(shared.dropped_early.get() > 0);
}
