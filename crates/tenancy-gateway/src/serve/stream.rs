//! A stream that comes back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// For what a client goes on sending once it is answered.
const LINGER: Duration = Duration::from_secs(5);

/// A stream that whoever has it can't close: it is given back.
#[derive(Debug)]
pub(super) struct Lent(Option<(TcpStream, oneshot::Sender<TcpStream>)>);

/// Lends a stream, and says where it comes back.
pub(super) fn lend(stream: TcpStream) -> (Lent, oneshot::Receiver<TcpStream>) {
    let (back, returned) = oneshot::channel();
    (Lent(Some((stream, back))), returned)
}

/// Reads what a client still sends, until it has read the last answer and leaves, or for a time: where a stream is closed
/// with something unread in it, the system throws away what the client has not read yet (RFC 9112, section 9.6).
pub(super) async fn linger(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let rest = async { while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {} };
    // Who sends for longer is not listened to.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

impl Lent {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        // It is there until this is dropped.
        let stream = self.get_mut().0.as_mut().map(|(stream, _)| Pin::new(stream));
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((stream, back)) = self.0.take() {
            // Where nobody waits for it, it is closed.
            let _ = back.send(stream);
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Lent {
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
        self.0.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}
