//! TLS by a connector that the application or the feature `rustls` provides.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::error::ConnectionError;
use super::options::SslMode;
use super::stream::{Socket, TlsIo};

/// How TLS is established. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(Option<Arc<dyn Connector>>);

/// A stream after the TLS handshake.
pub(super) struct Handshake {
    pub(super) stream: Box<dyn TlsIo>,
    /// The hash of the server's certificate (`tls-server-end-point` of RFC 5929), if the connector knows it.
    pub(super) server_end_point: Option<Vec<u8>>,
}

pub(super) trait Connector: Send + Sync {
    /// Does the handshake with the server of this name.
    fn connect(&self, host: &str, socket: Socket) -> BoxFuture<'static, Result<Handshake, BoxError>>;
}

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

impl Tls {
    /// No connector: connections are not encrypted.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// A connector for tokio-postgres.
    ///
    /// It encrypts, and verifies as it does; the connection's authentication cannot be bound to the channel, because
    /// tokio-postgres does not pass on what its connectors say about that.
    pub(crate) fn of_tokio_postgres<T>(connector: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync + 'static,
        T::TlsConnect: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
    {
        Self::new(Foreign(connector))
    }

    pub(super) fn new(connector: impl Connector + 'static) -> Self {
        Self(Some(Arc::new(connector)))
    }

    pub(super) fn connector(&self) -> Option<&dyn Connector> {
        self.0.as_deref()
    }
}

/// The error of options that demand TLS without a connector.
pub(super) fn no_connector(mode: SslMode) -> ConnectionError {
    let problem = format!(
        "sslmode={} needs a TLS connector, or the feature `rustls` of tenancy-postgres",
        mode.as_str()
    );
    ConnectionError::Tls(problem.into())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.is_some()).finish()
    }
}

struct Foreign<T>(T);

impl<T> Connector for Foreign<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + Sync + 'static,
    T::TlsConnect: Send + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
{
    fn connect(&self, host: &str, socket: Socket) -> BoxFuture<'static, Result<Handshake, BoxError>> {
        let connect = self.0.clone().make_tls_connect(host).map_err(Into::into);
        Box::pin(async move {
            let stream = connect?.connect(socket).await.map_err(Into::into)?;
            Ok(Handshake { stream: Box::new(stream), server_end_point: None })
        })
    }
}
