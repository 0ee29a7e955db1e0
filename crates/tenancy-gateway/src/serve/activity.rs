//! What a connection does: one that does nothing, and one whose client takes nothing, is let go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Limits;

/// What is in flight on a connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Each request whose answer is not given to its last part; and since when the client has not asked for the next.
    flights: HashMap<u64, Option<Instant>>,
    next: u64,
    /// Since when there was none.
    idle: Instant,
}

/// A request, until its answer is given or dropped.
#[derive(Debug)]
pub(super) struct Flight {
    activity: Arc<Activity>,
    number: u64,
}

/// Why a connection is let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overdue {
    /// There was no request in flight for so long.
    Idle,
    /// For so long its client took nothing of an answer.
    Stuck,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let state = State { flights: HashMap::new(), next: 0, idle: Instant::now() };
        Arc::new(Self(Mutex::new(state)))
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Flight {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.flights.insert(number, None);
        drop(state);
        Flight { activity: Arc::clone(self), number }
    }

    /// Ready when it has been idle, from now on, or stuck for too long.
    ///
    /// Neither is seen by hyper: its time-out for a head begins when it knows whether this is HTTP/1.1, and there is none
    /// for HTTP/2, where a client may open no window for an answer, or do nothing for good, and answer each PING.
    pub(super) async fn overdue(&self, limits: &Limits) -> Overdue {
        let since = Instant::now();
        let pause = (limits.head.min(limits.write) / 4).max(Duration::from_millis(10));
        loop {
            tokio::time::sleep(pause).await;
            let state = self.state();
            if state.flights.values().flatten().any(|given| given.elapsed() >= limits.write) {
                return Overdue::Stuck;
            }
            if state.flights.is_empty() && state.idle.max(since).elapsed() >= limits.head {
                return Overdue::Idle;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// A part of the answer is given: it is the client's now to take it.
    pub(super) fn given(&self) {
        self.activity.state().flights.insert(self.number, Some(Instant::now()));
    }

    /// There is room for the next part.
    pub(super) fn wanted(&self) {
        self.activity.state().flights.insert(self.number, None);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.flights.remove(&self.number);
        state.idle = Instant::now();
    }
}
