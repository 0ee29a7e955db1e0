//! Work that is dropped on the way.

use std::env;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

pub(crate) type Work<'a, E> = Pin<Box<dyn Future<Output = Result<(), E>> + 'a>>;

/// How many drops the environment asks for by `TENANCY_DROPS`.
pub(crate) fn drops(unless: usize) -> usize {
    env::var("TENANCY_DROPS").ok().and_then(|text| text.parse().ok()).unwrap_or(unless)
}

/// Whether it is done after so many polls. The connection's own task has turns between them.
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

/// A closed connection's transaction ends when the server notices.
pub(crate) async fn no_transaction_stays_open(superuser: &Client) {
    let sql =
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE usename = 'service' AND xact_start IS NOT NULL)
        + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')";
    let ends = async {
        while superuser.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) != 0 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), ends).await.expect("no open transaction, and no lock");
}

/// A turn of the socket after each of a task.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().event_interval(1).enable_all().build().expect("a runtime")
}
