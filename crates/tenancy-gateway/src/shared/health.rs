//! The state of the server.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis::{RedisError, RedisResult};
use tokio::time::timeout;

/// The pause between commands to a server that failed.
const PAUSE_MS: u64 = 1000;

/// Whether the last command succeeded.
#[derive(Debug)]
pub(super) struct Health {
    start: Instant,
    /// The time of the next attempt in milliseconds since the start; 0 if the server answers.
    asks_at: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self { start: Instant::now(), asks_at: AtomicU64::new(0) }
    }
}

impl Health {
    pub(super) fn is_up(&self) -> bool {
        self.asks_at.load(Relaxed) == 0
    }

    /// Runs a command, or fails at once while the server is down.
    ///
    /// If the time limit is not longer than the pause, there is one attempt at a time.
    pub(super) async fn watch<T>(
        &self,
        longest: Duration,
        call: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        let is_probe = !self.is_up();
        if is_probe && !self.begins_probe() {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let reply = timeout(longest, call).await;
        let reply = reply.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        match &reply {
            Err(error) if !is_of_a_key(error) => self.failed(error),
            _ if is_probe => self.answered(),
            _ => {}
        }
        reply
    }

    /// Returns whether the caller is the one to try again.
    fn begins_probe(&self) -> bool {
        let (now, at) = (self.now(), self.asks_at.load(Relaxed));
        at <= now && self.asks_at.compare_exchange(at, now + PAUSE_MS, Relaxed, Relaxed).is_ok()
    }

    fn failed(&self, error: &RedisError) {
        if self.asks_at.swap(self.now() + PAUSE_MS, Relaxed) == 0 {
            let reason = reason(error);
            tracing::warn!(%reason, "Redis fails: each instance limits by itself, and nothing is cached");
        }
    }

    fn answered(&self) {
        if self.asks_at.swap(0, Relaxed) != 0 {
            tracing::info!("Redis answers again");
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

/// Returns whether the server works, but does not know a script, or a key has a value of another program.
fn is_of_a_key(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOSCRIPT" | "WRONGTYPE"))
}

/// Returns the reason without the server's message, which can contain a key or a name.
pub(super) fn reason(error: &RedisError) -> String {
    match error.code() {
        Some(code) => code.to_owned(),
        None if error.is_io_error() => error.to_string(),
        None => error.category().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn broken<T>() -> RedisResult<T> {
        Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
    }

    fn of_server<T>(code: &str) -> RedisResult<T> {
        Err(redis::make_extension_error(code.to_owned(), None))
    }

    const HOUR_MS: u64 = 3_600_000;

    fn later(health: &Health, millis: u64) {
        health.asks_at.fetch_sub(millis, Relaxed);
    }

    async fn watch<T>(health: &Health, call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        health.watch(Duration::from_mins(1), call).await
    }

    #[tokio::test]
    async fn a_server_that_fails_is_asked_once_a_second() {
        let health = Health {
            start: Instant::now().checked_sub(Duration::from_secs(10)).unwrap(),
            ..Health::default()
        };
        assert!(watch(&health, ready(broken::<()>())).await.unwrap_err().is_io_error());
        // The test does not depend on its duration.
        health.asks_at.fetch_add(HOUR_MS, Relaxed);
        for _ in 0..3 {
            let asked: RedisResult<()> = watch(&health, async { panic!("it is asked") }).await;
            assert!(asked.is_err() && !health.is_up());
        }
        later(&health, PAUSE_MS + HOUR_MS);
        assert!(watch(&health, ready(broken::<()>())).await.is_err());
        assert_eq!(watch(&health, ready(Ok(1))).await.ok(), None, "the probe has failed");
        later(&health, PAUSE_MS);
        let (probe, other) = tokio::join!(
            watch(&health, async {
                tokio::task::yield_now().await;
                Ok(1)
            }),
            watch(&health, ready(Ok(2)))
        );
        assert_eq!((probe.ok(), other.ok()), (Some(1), None), "one probe at a time");
        assert_eq!(watch(&health, ready(Ok(3))).await.ok(), Some(3));
    }

    #[tokio::test]
    async fn a_server_that_is_too_slow_has_failed() {
        let health = Health::default();
        let slow = health.watch(Duration::from_millis(10), pending::<RedisResult<()>>());
        let error = timeout(Duration::from_secs(20), slow).await.expect("it ends").unwrap_err();
        assert!(error.is_timeout() && !health.is_up());
    }

    #[tokio::test]
    async fn an_error_of_one_key_is_an_answer() {
        let health = Health::default();
        for (code, is_up) in [("WRONGTYPE", true), ("NOSCRIPT", true), ("OOM", false)] {
            assert!(watch(&health, ready(of_server::<()>(code))).await.is_err());
            assert_eq!(health.is_up(), is_up, "{code}");
        }
    }
}
