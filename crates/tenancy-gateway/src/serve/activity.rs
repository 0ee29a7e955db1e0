//! What a connection is doing, to close it if it does nothing or if its client does not read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Version;

use super::limits::Limits;

/// The requests of a connection, and the times of its last events.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The requests whose responses are not completed, with the time since when the client has not read.
    requests: HashMap<u64, Option<Instant>>,
    next: u64,
    version: Option<Version>,
    /// The time since when there is no request.
    idle: Instant,
    /// The time at which the first bytes of a head arrived. Not used with HTTP/2, where they may be of a PING.
    head: Option<Instant>,
}

/// A request until its response is completed or dropped.
#[derive(Debug)]
pub(super) struct ActiveRequest {
    activity: Arc<Activity>,
    number: u64,
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timeout {
    /// There was no request.
    Idle,
    /// The client did not read a response.
    Stuck,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let now = Instant::now();
        // The first head must arrive in time, even if its first byte does not.
        let state = State { requests: HashMap::new(), next: 0, version: None, idle: now, head: Some(now) };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Records that bytes have arrived.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.requests.is_empty() && state.version != Some(Version::HTTP_2) {
            state.head.get_or_insert_with(Instant::now);
        }
    }

    /// Records that a request has arrived.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> ActiveRequest {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.version = Some(version);
        state.head = None;
        state.requests.insert(number, None);
        drop(state);
        ActiveRequest { activity: Arc::clone(self), number }
    }

    /// Completes when the connection is idle or stuck for too long. The idle time counts from this call.
    ///
    /// hyper's own time-out does not apply before it knows the version, nor to HTTP/2, where a client can open no window
    /// for a response, or do nothing but answer each PING.
    pub(super) async fn timeout(&self, limits: &Limits) -> Timeout {
        let since = Instant::now();
        let pause = (limits.head.min(limits.idle).min(limits.write) / 4).max(Duration::from_millis(10));
        loop {
            tokio::time::sleep(pause).await;
            let state = self.state();
            if state.requests.values().flatten().any(|since| since.elapsed() >= limits.write) {
                return Timeout::Stuck;
            }
            let is_over = |since: Instant, limit: Duration| since.elapsed() >= limit;
            if state.requests.is_empty()
                && (is_over(state.idle.max(since), limits.idle)
                    || state.head.is_some_and(|head| is_over(head.max(since), limits.head)))
            {
                return Timeout::Idle;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change under the lock is complete, so a panic elsewhere cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRequest {
    /// Records that a part of the response is written, which the client has to read.
    pub(super) fn part_written(&self) {
        self.activity.state().requests.insert(self.number, Some(Instant::now()));
    }

    /// Records that there is room for the next part.
    pub(super) fn part_read(&self) {
        self.activity.state().requests.insert(self.number, None);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests.remove(&self.number);
        state.idle = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(600);

    fn limits(head: Duration, idle: Duration) -> Limits {
        Limits { connections: 1, head, idle, write: LONG, shutdown: LONG }
    }

    async fn times_out(activity: &Activity, limits: Limits) -> bool {
        let timeout = tokio::time::timeout(Duration::from_millis(200), activity.timeout(&limits)).await;
        assert!(timeout.is_err() || timeout == Ok(Timeout::Idle));
        timeout.is_ok()
    }

    #[tokio::test]
    async fn closes_connections_without_a_first_head() {
        assert!(times_out(&Activity::new(), limits(SHORT, LONG)).await);
    }

    #[tokio::test]
    async fn between_requests_only_a_begun_head_has_the_short_limit() {
        let activity = Activity::new();
        drop(activity.begin(Version::HTTP_11));
        assert!(!times_out(&activity, limits(SHORT, LONG)).await);
        activity.received();
        assert!(times_out(&activity, limits(SHORT, LONG)).await);
        drop(activity.begin(Version::HTTP_11));
        assert!(times_out(&activity, limits(LONG, SHORT)).await);
    }

    #[tokio::test]
    async fn frames_of_http2_are_not_heads() {
        let activity = Activity::new();
        drop(activity.begin(Version::HTTP_2));
        activity.received();
        assert!(!times_out(&activity, limits(SHORT, LONG)).await);
    }

    #[tokio::test]
    async fn a_connection_with_a_request_is_not_idle() {
        let activity = Activity::new();
        let _request = activity.begin(Version::HTTP_11);
        activity.received();
        assert!(!times_out(&activity, limits(SHORT, SHORT)).await);
    }
}
