//! Serving connections: HTTP/1.1 and HTTP/2 without TLS on one port.

mod activity;
mod body;
mod connection;
mod limits;
mod stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::HttpService;
use connection::Server;

pub use limits::Limits;

/// The pause after a failure to accept a connection, for example until a file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `closing`, then completes the requests in progress.
///
/// # Errors
///
/// Returns the number of connections that did not finish in time.
pub async fn serve(
    listener: TcpListener,
    service: impl HttpService,
    limits: Limits,
    closing: CancellationToken,
) -> Result<(), usize> {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let server = Arc::new(Server::new(limits));
    while let Some((stream, permit)) = closing.run_until_cancelled(accept(&listener, &permits)).await {
        let connection = Arc::clone(&server).serve(stream, service.clone(), closing.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    // From here on the system refuses connections.
    drop(listener);
    connections.close();
    let finished = tokio::time::timeout(limits.shutdown, connections.wait()).await;
    finished.map_err(|_| connections.len())
}

/// Accepts a connection when there is a permit for it. A failure ends one connection at most, never the service.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
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
