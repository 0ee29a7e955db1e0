//! Cancellation of a running statement.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial::{Address, Encryption, dial, within};
use super::error::ConnectionError;
use super::options::ConnectOptions;
use super::tls::Tls;

/// What a server accepts as the right to cancel the statement of one session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CancelKey(Arc<Inner>);

struct Inner {
    address: Address,
    options: ConnectOptions,
    encryption: Encryption,
    process_id: i32,
    secret_key: i32,
}

impl CancelKey {
    pub(super) fn new(
        address: Address,
        options: ConnectOptions,
        encryption: Encryption,
        (process_id, secret_key): (i32, i32),
    ) -> Self {
        Self(Arc::new(Inner { address, options, encryption, process_id, secret_key }))
    }

    /// The process of the session on the server; a pooler's own number if there is one.
    #[cfg(test)]
    pub(crate) fn process_id(&self) -> i32 {
        self.0.process_id
    }

    /// Asks the server to cancel the statement that the session runs, over a connection of its own.
    ///
    /// Returns when the server has accepted the request. The server does not tell whether a statement was cancelled: the
    /// statement fails with SQLSTATE `57014` if it was, and may also have ended before.
    pub(crate) async fn cancel(&self, tls: &Tls) -> Result<(), ConnectionError> {
        within(self.0.options.connect_timeout, async {
            let key = &*self.0;
            // Encrypted if the session is: the key would be readable on the way.
            let mut stream = dial(&key.address, &key.options, key.encryption, tls).await?.stream;
            let mut message = BytesMut::new();
            frontend::cancel_request(key.process_id, key.secret_key, &mut message);
            stream.write_all(&message).await?;
            stream.flush().await?;
            // The server closes the connection as soon as it has sent the signal, some servers without the end of the
            // TLS stream. It sends nothing.
            let mut byte = [0];
            match stream.read(&mut byte).await {
                Ok(0) | Err(_) => Ok(()),
                Ok(_) => Err(ConnectionError::Protocol("an answer to a request for cancellation")),
            }
        })
        .await
    }
}

/// The process, without the secret.
impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("process_id", &self.0.process_id).finish_non_exhaustive()
    }
}
