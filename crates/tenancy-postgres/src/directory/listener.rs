//! The connection that receives changes of the table of tenants.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tenancy::Directory;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::invalidating_cache::{InvalidatingCache, Listening};
use crate::error::Error;
use crate::tenants::DirectoryError;
use crate::wire::{ConnectOptions, Connection, Tls, connect};

const CHANNEL: &str = "tenancy_tenants";
const LISTEN: &str = "LISTEN tenancy_tenants";
/// Returns a row if the session listens.
const LISTENS: &str = "SELECT FROM pg_catalog.pg_listening_channels() AS channel WHERE channel OPERATOR(pg_catalog.=) 'tenancy_tenants'";

/// The time limit of a connection's start and of an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The time between two checks that the session listens. A server that went away silently is noticed after this time
/// and [`ANSWER`].
const HEARTBEAT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A connection that listens.
pub(super) struct Listener(Connection);

impl Listener {
    /// Connects, and waits until the server has confirmed that the session listens.
    pub(super) async fn open(options: &ConnectOptions, tls: &Tls) -> Result<Self, DirectoryError> {
        let opened = async {
            // The time between two notifications has no limit.
            let mut connection = Connection::new(connect(options, tls, "").await?, None);
            connection.query(LISTEN, &[]).await??;
            Ok::<_, Error>(Self(connection))
        };
        Ok(timeout(ANSWER, opened).await.map_err(|_| DirectoryError::Timeout)??)
    }

    /// Invalidates what changes, until the connection breaks or the session does not listen any more.
    async fn run<D: Directory>(&mut self, listening: &Listening<'_, D>) {
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            match timeout_at(heartbeat, self.0.notification()).await {
                Ok(Ok(notification)) if notification.channel == CHANNEL => {
                    listening.receive(&notification.payload);
                }
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    let answer = timeout(ANSWER, self.0.query(LISTENS, &[])).await;
                    if !matches!(answer, Ok(Ok(Ok(rows))) if !rows.is_empty()) {
                        return;
                    }
                    heartbeat = Instant::now() + HEARTBEAT;
                }
            }
        }
    }
}

/// Listens forever; connects again if the connection breaks.
pub(super) async fn listen<D: Directory>(
    mut listener: Listener,
    cache: Arc<InvalidatingCache<D>>,
    options: ConnectOptions,
    tls: Tls,
) {
    loop {
        listener.run(&cache.listen()).await;
        // The server may not have noticed yet that the connection is broken.
        drop(listener);
        listener = open_again(&options, &tls).await;
    }
}

async fn open_again(options: &ConnectOptions, tls: &Tls) -> Listener {
    let mut wait = FIRST_WAIT;
    loop {
        sleep(jittered(wait)).await;
        if let Ok(listener) = Listener::open(options, tls).await {
            return listener;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Returns between half of the time and all of it, so that services do not connect at the same time.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1_000;
    wait / 2 + wait * u32::try_from(random).unwrap_or_default() / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_over_half_of_the_time() {
        let waits: Vec<_> = (0..1_000).map(|_| jittered(LONGEST_WAIT)).collect();
        assert!(waits.iter().all(|wait| *wait >= LONGEST_WAIT / 2 && *wait <= LONGEST_WAIT));
        assert!(waits.iter().any(|wait| *wait < LONGEST_WAIT * 6 / 10));
        assert!(waits.iter().any(|wait| *wait > LONGEST_WAIT * 9 / 10));
    }
}
