//! The way to a server: its addresses, the socket, and TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::error::ConnectionError;
use super::options::{ConnectOptions, DEFAULT_PORT, Host, Keepalive, SslMode};
use super::stream::{Socket, Stream};
use super::tls::{Tls, no_connector};

/// One of the hosts.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A name to look up, or an address. The name is the one that TLS verifies.
    Tcp { name: String, address: Option<IpAddr>, port: u16 },
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// The address of one server, and the name that TLS verifies.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Tcp { name: String, address: SocketAddr },
    Unix(PathBuf),
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encryption {
    Never,
    IfSupported,
    Always,
}

/// A stream to a server before the start-up message.
pub(super) struct Dialed {
    pub(super) stream: Stream,
    pub(super) server_end_point: Option<Vec<u8>>,
}

impl ConnectOptions {
    /// Whether any host is reached by TCP, and not by a unix socket.
    pub(super) fn uses_network(&self) -> bool {
        !self.host_addresses.is_empty()
            || self.hosts.iter().any(|host| matches!(host, Host::Tcp(_)))
            || (self.hosts.is_empty() && matches!(self.local(DEFAULT_PORT), Host::Tcp(_)))
    }

    /// The hosts in their order.
    pub(super) fn targets(&self) -> Result<Vec<Target>, ConnectionError> {
        let count = self.hosts.len().max(self.host_addresses.len()).max(1);
        let bad = |problem| ConnectionError::Io(io::Error::new(io::ErrorKind::InvalidInput, problem));
        if !self.hosts.is_empty()
            && !self.host_addresses.is_empty()
            && self.hosts.len() != self.host_addresses.len()
        {
            return Err(bad("the numbers of hosts and of their addresses differ"));
        }
        if self.ports.len() > 1 && self.ports.len() != count {
            return Err(bad("the numbers of hosts and of ports differ"));
        }
        let target = |index: usize| {
            let ports = [self.ports.get(index), self.ports.first()];
            let port = ports.into_iter().flatten().next().copied().unwrap_or(DEFAULT_PORT);
            let address: Option<IpAddr> = self.host_addresses.get(index).copied();
            let host = match (self.hosts.get(index), address) {
                (Some(Host::Tcp(name)), None) if name.is_empty() => self.local(port),
                (Some(host), _) => host.clone(),
                (None, Some(address)) => Host::Tcp(address.to_string()),
                (None, None) => self.local(port),
            };
            match host {
                Host::Unix(folder) if address.is_none() => {
                    Target::Unix(folder.join(format!(".s.PGSQL.{port}")))
                }
                Host::Unix(_) => Target::Tcp { name: String::new(), address, port },
                Host::Tcp(name) => Target::Tcp { name, address, port },
            }
        };
        Ok((0..count).map(target).collect())
    }

    /// The server of this machine: by a unix socket if there is one.
    #[cfg_attr(not(unix), expect(clippy::unused_self, reason = "there are no unix sockets"))]
    fn local(&self, port: u16) -> Host {
        #[cfg(unix)]
        for folder in ["/var/run/postgresql", "/run/postgresql", "/tmp"] {
            let port = self.ports.first().copied().unwrap_or(port);
            if std::path::Path::new(folder).join(format!(".s.PGSQL.{port}")).exists() {
                return Host::Unix(folder.into());
            }
        }
        let _ = port;
        Host::Tcp("localhost".to_owned())
    }
}

impl Target {
    /// Looks up the addresses.
    pub(super) async fn addresses(&self) -> io::Result<Vec<Address>> {
        match self {
            Self::Unix(path) => Ok(vec![Address::Unix(path.clone())]),
            Self::Tcp { name, address: Some(address), port } => {
                Ok(vec![Address::Tcp { name: name.clone(), address: SocketAddr::new(*address, *port) }])
            }
            Self::Tcp { name, address: None, port } => {
                let found = tokio::net::lookup_host((name.as_str(), *port)).await?;
                Ok(found.map(|address| Address::Tcp { name: name.clone(), address }).collect())
            }
        }
    }
}

impl SslMode {
    /// What is tried first.
    pub(super) fn encryption(self) -> Encryption {
        match self {
            Self::Disable | Self::Allow => Encryption::Never,
            Self::Prefer => Encryption::IfSupported,
            Self::Require | Self::VerifyCa | Self::VerifyFull => Encryption::Always,
        }
    }
}

/// Connects to a server, and establishes TLS. Unix sockets are never encrypted.
pub(super) async fn dial(
    address: &Address,
    options: &ConnectOptions,
    encryption: Encryption,
    tls: &Tls,
) -> Result<Dialed, ConnectionError> {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = Stream::Plain(UnixStream::connect(path).await?.into());
            Ok(Dialed { stream, server_end_point: None })
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        Address::Tcp { name, address } => {
            // Nothing is sent to a server that would be refused.
            if encryption == Encryption::Always && tls.connector().is_none() {
                return Err(no_connector(options.tls.mode));
            }
            let stream = TcpStream::connect(address).await?;
            set_options(&stream, options)?;
            encrypt(stream.into(), name, encryption, options.tls.is_direct, tls).await
        }
    }
}

fn set_options(stream: &TcpStream, options: &ConnectOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(limit) = options.tcp_user_timeout {
        socket.set_tcp_user_timeout(Some(limit))?;
    }
    if let Some(keepalive) = options.keepalive {
        socket.set_tcp_keepalive(&tcp_keepalive(keepalive))?;
    }
    Ok(())
}

fn tcp_keepalive(keepalive: Keepalive) -> TcpKeepalive {
    let mut settings = TcpKeepalive::new();
    if let Some(idle) = keepalive.idle {
        settings = settings.with_time(idle);
    }
    #[cfg(not(any(
        target_os = "openbsd",
        target_os = "redox",
        target_os = "solaris",
        target_os = "windows"
    )))]
    {
        if let Some(interval) = keepalive.interval {
            settings = settings.with_interval(interval);
        }
        if let Some(retries) = keepalive.retries {
            settings = settings.with_retries(retries);
        }
    }
    settings
}

async fn encrypt(
    mut socket: Socket,
    name: &str,
    encryption: Encryption,
    is_direct: bool,
    tls: &Tls,
) -> Result<Dialed, ConnectionError> {
    let Some(connector) = tls.connector().filter(|_| encryption != Encryption::Never) else {
        return Ok(Dialed { stream: Stream::Plain(socket), server_end_point: None });
    };
    if !is_direct {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        socket.write_all(&request).await?;
        let mut answer = [0];
        socket.read_exact(&mut answer).await?;
        match &answer {
            b"S" => {}
            b"N" if encryption == Encryption::Always => {
                return Err(ConnectionError::Tls(
                    "the server does not support TLS, and sslmode demands it".into(),
                ));
            }
            b"N" => return Ok(Dialed { stream: Stream::Plain(socket), server_end_point: None }),
            // Everybody on the way can have written the error's text.
            b"E" => {
                return Err(ConnectionError::Protocol(
                    "an error in place of an answer to the request for TLS",
                ));
            }
            _ => return Err(ConnectionError::Protocol("not an answer to the request for TLS")),
        }
        // The client speaks first in TLS. What has arrived already was written by somebody on the way, who wants it to
        // be read as the server's after the handshake (CVE-2021-23222).
        match socket.try_read(&mut answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => return Err(ConnectionError::Protocol("bytes before the TLS handshake")),
        }
    }
    let handshake = connector.connect(name, socket).await.map_err(ConnectionError::Tls)?;
    Ok(Dialed { stream: Stream::Tls(handshake.stream), server_end_point: handshake.server_end_point })
}

/// Runs a future with the time limit of a connection's start.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    future: impl Future<Output = Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    match limit {
        None => future.await,
        Some(limit) => tokio::time::timeout(limit, future).await.unwrap_or(Err(ConnectionError::Timeout)),
    }
}
