//! A stream that is returned when it is dropped.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::activity::Activity;

/// The time for a client to stop sending after its last response.
const LINGER: Duration = Duration::from_secs(5);

/// A stream that its user cannot close: dropping it returns the stream.
#[derive(Debug)]
pub(super) struct ReturnableStream {
    lent: Option<(TcpStream, oneshot::Sender<TcpStream>)>,
    activity: Arc<Activity>,
}

/// Lends a stream, and returns where it comes back. Records the arrival of bytes.
pub(super) fn lend(
    stream: TcpStream,
    activity: Arc<Activity>,
) -> (ReturnableStream, oneshot::Receiver<TcpStream>) {
    let (sender, returned) = oneshot::channel();
    (ReturnableStream { lent: Some((stream, sender)), activity }, returned)
}

/// Reads and discards what a client still sends, until it closes the connection or the time is over.
///
/// If a stream is closed with unread data, the system discards what the client has not read yet (RFC 9112, section 9.6).
pub(super) async fn drain(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let rest = async { while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {} };
    let _ = tokio::time::timeout(LINGER, rest).await;
}

impl ReturnableStream {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        // The stream is taken only by `drop`.
        let stream = self.get_mut().lent.as_mut().map(|(stream, _)| Pin::new(stream));
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for ReturnableStream {
    fn drop(&mut self) {
        if let Some((stream, sender)) = self.lent.take() {
            // If the receiver is gone, the stream is closed.
            let _ = sender.send(stream);
        }
    }
}

impl AsyncRead for ReturnableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.as_mut().stream()?.poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl AsyncWrite for ReturnableStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.lent.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}
