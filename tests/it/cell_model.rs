//! The cell and the current context, compared with a model by random steps, including wrong ones.
//!
//! The model has no marks or generations. It is a stack with a frame for each scope. A frame holds the guards in the
//! order in which they were entered, each with the tenant that it replaced.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tenancy::{TenantCell, TenantCellGuard, TenantContext, TenantGuard, TenantId};

use crate::support::alone;

const STEPS: u64 = 1_000_000;
const TENANTS: u8 = 5;
const DEPTH: usize = 5;

pub(crate) fn tenant(number: u64) -> TenantId {
    let mut bytes = [0; 16];
    bytes[15] = u8::try_from(number % u64::from(TENANTS)).unwrap_or(0) + 1;
    TenantId::from_bytes(bytes).expect("neither nil nor all ones")
}

/// A cell or the current context.
pub(crate) trait Subject {
    type Guard<'s>
    where
        Self: 's;
    fn set(&self, tenant: TenantId);
    fn clear(&self);
    fn get(&self) -> Option<TenantId>;
    fn enter(&self, tenant: TenantId) -> Self::Guard<'_>;
    fn scope(&self, tenant: TenantId, body: &mut dyn FnMut());
    fn interrupt(&self, body: &mut dyn FnMut());
    fn bound(&self, body: &mut dyn FnMut());
    fn bound_fn(&self, body: &mut dyn FnMut());
}

impl Subject for TenantCell {
    type Guard<'s> = TenantCellGuard<'s>;
    fn set(&self, tenant: TenantId) {
        self.set(tenant);
    }
    fn clear(&self) {
        self.clear();
    }
    fn get(&self) -> Option<TenantId> {
        assert_eq!(self.get().ok(), self.get_optional());
        assert_eq!(self.is_set(), self.get_optional().is_some());
        self.get_optional()
    }
    fn enter(&self, tenant: TenantId) -> TenantCellGuard<'_> {
        self.enter(tenant)
    }
    fn scope(&self, tenant: TenantId, body: &mut dyn FnMut()) {
        self.scope(tenant, body);
    }
    fn interrupt(&self, body: &mut dyn FnMut()) {
        self.interrupt(body);
    }
    fn bound(&self, body: &mut dyn FnMut()) {
        self.bind(body)();
    }
    fn bound_fn(&self, body: &mut dyn FnMut()) {
        self.bind_fn(|body: &mut dyn FnMut()| body())(body);
    }
}

pub(crate) struct Current;

impl Subject for Current {
    type Guard<'s> = TenantGuard;
    fn set(&self, tenant: TenantId) {
        TenantContext::set(tenant);
    }
    fn clear(&self) {
        TenantContext::clear();
    }
    fn get(&self) -> Option<TenantId> {
        assert_eq!(TenantContext::get().ok(), TenantContext::get_optional());
        TenantContext::get_optional()
    }
    fn enter(&self, tenant: TenantId) -> TenantGuard {
        TenantContext::enter(tenant)
    }
    fn scope(&self, tenant: TenantId, body: &mut dyn FnMut()) {
        TenantContext::scope(tenant, body);
    }
    fn interrupt(&self, body: &mut dyn FnMut()) {
        TenantContext::interrupt(body);
    }
    fn bound(&self, body: &mut dyn FnMut()) {
        TenantContext::bind(body)();
    }
    fn bound_fn(&self, body: &mut dyn FnMut()) {
        TenantContext::bind_fn(|body: &mut dyn FnMut()| body())(body);
    }
}

/// A guard in a frame: its name, and the tenant of the frame before it.
struct Entered {
    name: u64,
    before: Option<TenantId>,
}

/// A scope: its tenant, and the guards that were entered in it, in order.
#[derive(Default)]
struct Frame {
    held: Option<TenantId>,
    entered: Vec<Entered>,
    /// Whether a guard was dropped out of order, so that a guard of an outer frame may clear instead of restore.
    disordered: bool,
}

impl Frame {
    /// Whether this frame ends with guards that were not dropped in order.
    fn is_disordered(&self) -> bool {
        self.disordered || !self.entered.is_empty()
    }
}

/// The scopes of other owners on the thread, if their entries may be current.
#[derive(Default)]
pub(crate) struct Others {
    /// Whether another owner's scope is current.
    pub(crate) in_scope: Cell<bool>,
    /// Whether a scope directly inside it ended with guards out of order.
    pub(crate) disordered: Cell<bool>,
}

pub(crate) struct Model {
    frames: Vec<Frame>,
    /// Of an owner whose outermost frame is a bare entry.
    others: Option<Rc<Others>>,
}

/// Runs other owners, within a scope if the argument says so. Returns whether the guards of the current frame clear.
pub(crate) type RunOthers<'s> = Box<dyn FnMut(bool) -> bool + 's>;

impl Model {
    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the outermost frame stays")
    }

    fn enter(&mut self, name: u64, tenant: TenantId) {
        let frame = self.frame();
        let before = frame.held.replace(tenant);
        frame.entered.push(Entered { name, before });
    }

    /// Restores the previous tenant if the guard is the innermost; otherwise clears the frame, and its order is lost.
    fn leave(&mut self, name: u64) {
        let frame = self.frame();
        match frame.entered.pop() {
            Some(last) if last.name == name => frame.held = last.before,
            _ => {
                frame.entered.clear();
                frame.held = None;
                frame.disordered = true;
            }
        }
    }

    /// If the guards of a scope were not all dropped in order, the guards of the outer frame clear too.
    fn end(&mut self) {
        if self.frames.pop().expect("a scope was begun").is_disordered() {
            self.inner_is_disordered();
        }
    }

    /// From now on the guards of the current frame clear it. If the frame is a bare entry beside the scope of another
    /// owner, then those of the other owner's scope do.
    fn inner_is_disordered(&mut self) {
        match &self.others {
            Some(others) if self.frames.len() == 1 && others.in_scope.get() => others.disordered.set(true),
            _ => {
                let frame = self.frame();
                frame.entered.clear();
                frame.disordered = true;
            }
        }
    }
}

pub(crate) struct Walk<'s, S: Subject> {
    subject: &'s S,
    random: fastrand::Rng,
    model: RefCell<Model>,
    guards: RefCell<Vec<(u64, S::Guard<'s>)>>,
    pub(crate) steps: u64,
    names: u64,
    run_others: Option<RunOthers<'s>>,
}

impl<'s, S: Subject> Walk<'s, S> {
    pub(crate) fn new(subject: &'s S, seed: u64, held: Option<TenantId>) -> Self {
        Self {
            subject,
            random: fastrand::Rng::with_seed(seed),
            model: RefCell::new(Model { frames: vec![Frame { held, ..Frame::default() }], others: None }),
            guards: RefCell::default(),
            steps: 0,
            names: 0,
            run_others: None,
        }
    }

    /// The outermost frame is a bare entry, and other owners may be in scopes.
    #[cfg(feature = "tokio")]
    pub(crate) fn beside(self, others: Rc<Others>) -> Self {
        self.model.borrow_mut().others = Some(others);
        self
    }

    /// Some steps run other owners.
    #[cfg(feature = "tokio")]
    pub(crate) fn interleaved(self, run_others: RunOthers<'s>) -> Self {
        Self { run_others: Some(run_others), ..self }
    }

    /// Compares the subject with the model.
    pub(crate) fn check(&self) {
        let expected = self.model.borrow().frames.last().and_then(|frame| frame.held);
        assert_eq!(self.subject.get(), expected, "at step {}", self.steps);
    }

    /// Makes one step in the outermost frame, which may contain steps in scopes. Returns the number of steps.
    #[cfg(feature = "tokio")]
    pub(crate) fn advance(&mut self) -> u64 {
        let before = self.steps;
        let limit = before + 1 + self.random.u64(..40);
        self.steps += 1;
        self.step(0, limit);
        self.check();
        self.steps - before
    }

    /// The outermost frame is that of a new scope, which starts with the tenant of the last one.
    #[cfg(feature = "tokio")]
    pub(crate) fn renew(&self) {
        let mut model = self.model.borrow_mut();
        let frame = model.frame();
        frame.entered.clear();
        frame.disordered = false;
    }

    /// Whether the outermost frame has guards, or had guards that were not dropped in order.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_disordered(&self) -> bool {
        self.model.borrow_mut().frame().is_disordered()
    }

    /// A scope directly inside the current frame ended with guards out of order.
    #[cfg(feature = "tokio")]
    pub(crate) fn inner_is_disordered(&self) {
        self.model.borrow_mut().inner_is_disordered();
    }

    pub(crate) fn walk(&mut self, depth: usize, limit: u64) {
        let mut here = 8 + self.random.u64(..) % 24;
        while here > 0 && self.steps < limit {
            here -= 1;
            self.steps += 1;
            self.step(depth, limit);
            self.check();
        }
    }

    fn step(&mut self, depth: usize, limit: u64) {
        let tenant = tenant(self.random.u64(..));
        let kinds = if self.run_others.is_some() { 20 } else { 16 };
        match self.random.u64(..) % kinds {
            0 | 1 => {
                self.subject.set(tenant);
                self.model.borrow_mut().frame().held = Some(tenant);
            }
            2 => {
                self.subject.clear();
                self.model.borrow_mut().frame().held = None;
            }
            3..=6 => {
                self.names += 1;
                let guard = self.subject.enter(tenant);
                self.model.borrow_mut().enter(self.names, tenant);
                if self.random.u8(..8) == 0 {
                    std::mem::forget(guard);
                } else {
                    self.guards.borrow_mut().push((self.names, guard));
                }
            }
            7..=10 => self.leave(),
            16.. => {
                if let Some(run) = &mut self.run_others
                    && run(depth > 0)
                {
                    self.model.borrow_mut().inner_is_disordered();
                }
            }
            _ if depth == DEPTH => {}
            11 | 12 => self.nested(depth, limit, Some(tenant), |subject, body| subject.scope(tenant, body)),
            13 => self.nested(depth, limit, None, |subject, body| subject.interrupt(body)),
            14 => {
                let now = self.subject.get();
                if self.random.bool() {
                    self.nested(depth, limit, now, |subject, body| subject.bound(body));
                } else {
                    self.nested(depth, limit, now, |subject, body| subject.bound_fn(body));
                }
            }
            _ => self.nested(depth, limit, Some(tenant), |subject, body| {
                // The scope ends by a panic.
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    subject.scope(tenant, &mut || {
                        body();
                        std::panic::resume_unwind(Box::new(()));
                    });
                }));
                assert!(panicked.is_err());
            }),
        }
    }

    /// Drops the newest guard, or sometimes another one.
    fn leave(&mut self) {
        let count = self.guards.borrow().len();
        if count == 0 {
            return;
        }
        let at = if self.random.u8(..4) == 0 { self.random.usize(..count) } else { count - 1 };
        let (name, guard) = self.guards.borrow_mut().remove(at);
        drop(guard);
        self.model.borrow_mut().leave(name);
    }

    fn nested(
        &mut self,
        depth: usize,
        limit: u64,
        held: Option<TenantId>,
        run: impl FnOnce(&S, &mut dyn FnMut()),
    ) {
        self.model.borrow_mut().frames.push(Frame { held, ..Frame::default() });
        let subject = self.subject;
        run(subject, &mut || {
            self.check();
            self.walk(depth + 1, limit);
        });
        self.model.borrow_mut().end();
    }
}

fn walk<S: Subject>(subject: &S, seed: u64, limit: u64) -> u64 {
    let mut walk = Walk::new(subject, seed, None);
    while walk.steps < limit {
        walk.walk(0, limit);
    }
    walk.steps
}

#[test]
fn cell_behaves_like_the_model() {
    let mut steps = 0;
    for seed in 1..=100 {
        steps += walk(&TenantCell::new(), seed, STEPS / 100);
    }
    assert!(steps >= STEPS);
}

#[test]
fn current_context_behaves_like_the_model() {
    let _alone = alone();
    let mut steps = 0;
    for seed in 101..=200 {
        TenantContext::clear();
        steps += walk(&Current, seed, STEPS / 100);
    }
    TenantContext::clear();
    assert!(steps >= STEPS);
}

/// Both threads misuse one cell; neither may ever read a tenant that it did not set itself.
#[test]
fn threads_that_share_a_cell_see_only_their_own_tenants() {
    static CELL: TenantCell = TenantCell::new();
    const OPERATIONS: u64 = 200_000;

    std::thread::scope(|threads| {
        for own in 0..2_u8 {
            threads.spawn(move || {
                let mine = |number: u64| {
                    let mut bytes = [own + 1; 16];
                    bytes[0] = u8::try_from(number % 7).unwrap_or(0);
                    TenantId::from_bytes(bytes).expect("neither nil nor all ones")
                };
                let random = &mut fastrand::Rng::with_seed(u64::from(own) + 77);
                let mut guards = Vec::new();
                let mut last = None;
                for _ in 0..OPERATIONS {
                    let tenant = mine(random.u64(..));
                    match random.u64(..) % 8 {
                        0 => {
                            CELL.set(tenant);
                            last = Some(tenant);
                        }
                        1 => {
                            CELL.clear();
                            last = None;
                        }
                        2 => {
                            CELL.scope(tenant, || {
                                let seen = CELL.get_optional();
                                assert!(seen.is_none_or(|seen| seen == tenant), "{seen:?} in {tenant}");
                            });
                        }
                        3 => {
                            guards.push((CELL.enter(tenant), last));
                            last = Some(tenant);
                        }
                        4 | 5 => {
                            if let Some((guard, before)) = guards.pop() {
                                drop(guard);
                                last = before;
                            }
                        }
                        6 => CELL.interrupt(|| assert_eq!(CELL.get_optional(), None)),
                        _ => {}
                    }
                    // The other thread may hide or clear the tenant at any time, but never replace it.
                    let seen = CELL.get_optional();
                    assert!(seen.is_none() || seen == last, "{seen:?} after {last:?}");
                }
            });
        }
    });
}
