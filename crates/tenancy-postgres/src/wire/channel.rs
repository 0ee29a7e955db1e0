//! Messages during start-up, each of them bounded.

use std::io;

use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{Header, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{ConnectionError, ServerError};
use super::stream::Stream;

/// The longest message that a server may send before the session is ready. Without a limit, a host that is not a
/// Postgres server could make the client wait for gigabytes.
const LONGEST: usize = 64 * 1024;

/// The tag of `NegotiateProtocolVersion`, which the codec does not know.
const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';

/// A stream, and what was read from it.
pub(super) struct Channel {
    pub(super) stream: Stream,
    pub(super) read: BytesMut,
}

impl Channel {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, read: BytesMut::with_capacity(4096) }
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), ConnectionError> {
        self.stream.write_all(message).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Receives the next message that is neither a notice nor an error.
    pub(super) async fn receive(&mut self) -> Result<Message, ConnectionError> {
        loop {
            match self.parse()? {
                Some(Message::NoticeResponse(_)) => {}
                Some(Message::ErrorResponse(body)) => {
                    let error = ServerError::read(body.fields());
                    return Err(error.map_err(|_| ConnectionError::Protocol("a malformed error"))?.into());
                }
                Some(message) => return Ok(message),
                None => {
                    if self.stream.read_buf(&mut self.read).await? == 0 {
                        let problem = "the server closed the connection during start-up";
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem).into());
                    }
                }
            }
        }
    }

    fn parse(&mut self) -> Result<Option<Message>, ConnectionError> {
        loop {
            let malformed = |_| ConnectionError::Protocol("a malformed message during start-up");
            let Some(header) = Header::parse(&self.read).map_err(malformed)? else {
                return Ok(None);
            };
            let length = usize::try_from(header.len()).unwrap_or(usize::MAX).saturating_add(1);
            if length > LONGEST {
                return Err(ConnectionError::Protocol("a message during start-up is too long"));
            }
            if header.tag() != NEGOTIATE_PROTOCOL_VERSION {
                return Message::parse(&mut self.read).map_err(malformed);
            }
            if self.read.len() < length {
                return Ok(None);
            }
            // The server supports an older version than the one requested. None is older than 3.0, and no optional
            // feature was requested, so that nothing changes.
            self.read.advance(length);
        }
    }
}
