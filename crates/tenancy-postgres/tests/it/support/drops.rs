//! Futures that are dropped before they are done.

use std::env;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::task::yield_now;
use tokio_postgres::Client;

use super::{LIMIT, eventually};

pub(crate) type Work<'a, E> = Pin<Box<dyn Future<Output = Result<(), E>> + 'a>>;

/// Returns the number of drops that the environment variable `TENANCY_DROPS` asks for.
pub(crate) fn drops(default: usize) -> usize {
    env::var("TENANCY_DROPS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Polls the work so many times, then drops it. Returns whether it was done before. The connection's own task runs
/// between the polls.
pub(crate) async fn poll_and_drop<E>(polls: usize, work: Work<'_, E>) -> Result<bool, E> {
    let mut work = pin!(work);
    for _ in 0..polls {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return done.map(|()| true);
        }
        yield_now().await;
    }
    Ok(false)
}

/// Waits until the service has no transaction and no advisory lock in the superuser's database. The server ends the
/// transaction of a closed connection only when it notices.
pub(crate) async fn no_transaction_stays_open(superuser: &Client) {
    let sql = "SELECT (SELECT count(*) FROM pg_stat_activity
            WHERE usename = 'service' AND datname = current_database() AND xact_start IS NOT NULL)
        + (SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
            WHERE locktype = 'advisory' AND datname = current_database())";
    eventually("no open transaction and no lock", LIMIT, async || {
        superuser.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) == 0
    })
    .await;
}

/// Returns a runtime that looks at its sockets after each poll of a task.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().event_interval(1).enable_all().build().expect("a runtime")
}
