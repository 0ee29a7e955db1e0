//! A load generator: connections that each send one request after the other.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// Open connections to a service, on the current thread.
pub struct Client {
    runtime: Runtime,
    connections: Vec<TcpStream>,
}

impl Client {
    /// Opens this many connections.
    ///
    /// # Panics
    ///
    /// If the service cannot be reached.
    pub fn connect(address: SocketAddr, connections: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connect = async || {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        let connections = (0..connections).map(|_| runtime.block_on(connect()));
        let connections = connections.collect::<Result<_, _>>().expect("a connection");
        Self { runtime, connections }
    }

    /// Sends this many requests on each connection, and waits for all responses.
    ///
    /// # Panics
    ///
    /// If a response is not a success.
    pub fn run(&mut self, each: usize, request: impl Fn(usize) -> String + Copy + Send + 'static) {
        let connections = std::mem::take(&mut self.connections);
        let count = connections.len();
        self.connections = self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for (first, mut stream) in connections.into_iter().enumerate() {
                tasks.spawn(async move {
                    let mut buffer = vec![0; 16 * 1024];
                    for step in 0..each {
                        let request = request(step * count + first);
                        stream.write_all(request.as_bytes()).await.expect("a request");
                        response(&mut stream, &mut buffer).await;
                    }
                    stream
                });
            }
            tasks.join_all().await
        });
    }
}

/// Reads a response to its end.
async fn response(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await.expect("a response");
        assert!(read > 0, "the service closed the connection");
        length += read;
        let Some(head) = buffer[..length].windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head]).expect("a head");
        assert!(text.starts_with("HTTP/1.1 20"), "{text}");
        let body = text.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        if length - head - 4 >= body.parse().expect("a number") {
            return;
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}
