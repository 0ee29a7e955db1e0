//! Connections.

mod activity;
mod answer;
mod connection;
mod stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::HttpService;
use connection::Protocol;

/// Until a file descriptor may be free again.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections at once. Who comes then waits in the system's queue.
    pub connections: usize,
    /// The time for a request's head, and for the next request of a connection that has none in flight.
    pub head: Duration,
    /// The time in which a client that is sent something has to take some of it, and of each answer 16 KiB.
    pub write: Duration,
    /// The time for all that is in flight when the service closes.
    pub shutdown: Duration,
}

/// Serves until `closing`, then lets the requests in flight finish.
///
/// # Errors
///
/// How many connections were not done in time.
pub async fn serve(
    listener: TcpListener,
    service: impl HttpService,
    limits: Limits,
    closing: CancellationToken,
) -> Result<(), usize> {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let protocol = Arc::new(Protocol::new(limits));
    while let Some((stream, place)) = closing.run_until_cancelled(next(&listener, &places)).await {
        let connection = Arc::clone(&protocol).serve(stream, service.clone(), closing.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    // From here on the system refuses connections.
    drop(listener);
    connections.close();
    let finished = tokio::time::timeout(limits.shutdown, connections.wait()).await;
    finished.map_err(|_| connections.len())
}

/// The next connection, once there is a place for it. A failure ends one connection at most, never the service.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
