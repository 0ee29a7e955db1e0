//! The limits of connections.

use std::time::Duration;

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum number of connections. More connections wait in the system's queue.
    pub connections: usize,
    /// The time for a request's head, from its first byte, and for the first request of a connection.
    pub head: Duration,
    /// The time after which a connection without a request is closed.
    pub idle: Duration,
    /// The time in which a client must read something of a response: 16 KiB with HTTP/2.
    pub write: Duration,
    /// The time for requests in progress after the service stops accepting connections.
    pub shutdown: Duration,
}
