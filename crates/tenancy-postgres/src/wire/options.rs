//! The options of a connection.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config as other;

/// The address of a server, the login, and the settings of a connection.
///
/// Options are parsed from a URL or from a key-value string, as libpq accepts them, or set with the methods.
///
/// ```
/// use std::time::Duration;
/// use tenancy_postgres::{ConnectOptions, SslMode};
///
/// # fn main() -> Result<(), tenancy_postgres::ParseOptionsError> {
/// let parsed: ConnectOptions = "postgres://notes@db.example.com/notes?sslmode=verify-full".parse()?;
/// let built = ConnectOptions::new()
///     .host("db.example.com")
///     .user("notes")
///     .database("notes")
///     .ssl_mode(SslMode::VerifyFull);
/// assert_eq!(parsed, built);
///
/// // A transaction pooler, and a time limit for each address.
/// let pooled = ConnectOptions::parse("postgres://notes@pooler.example.com:6543/notes?pgbouncer=true")?
///     .connect_timeout(Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
///
/// # Parameters
///
/// A URL has the form `postgres://user:password@host:port,host:port/database?parameter=value&…`; `postgresql://` is the
/// same. Reserved characters are percent-encoded: `%2Fvar%2Frun%2Fpostgresql` is the folder of a unix socket. A
/// key-value string has the form `host=localhost user=notes password='two words'`. If a parameter is given twice, the
/// last one is used. An empty value is the same as none.
///
/// | parameter | value | default |
/// | --- | --- | --- |
/// | `host` | names, addresses or folders of unix sockets, separated by commas | the folder of a local server's unix socket, else `localhost` |
/// | `hostaddr` | IP addresses, as many as hosts; no name is looked up | |
/// | `port` | one port, or as many as hosts | 5432 |
/// | `user` | | the environment's `PGUSER`, `USER` or `USERNAME` |
/// | `password` | | |
/// | `dbname` | | the user's name |
/// | `application_name`, `fallback_application_name` | | |
/// | `options` | arguments of the server's session, such as `-c statement_timeout=5s` | |
/// | `connect_timeout` | seconds for each address; 0 is no limit | no limit |
/// | `keepalives` | 0 disables TCP keepalive | 1 |
/// | `keepalives_idle`, `keepalives_interval` | seconds; 0 is the system's default | 7,200; the system's |
/// | `keepalives_count` or `keepalives_retries` | probes; 0 is the system's default | the system's |
/// | `tcp_user_timeout` | milliseconds; 0 is the system's default | the system's |
/// | `sslmode` | `disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`: see [`SslMode`] | `prefer` |
/// | `sslrootcert` | a PEM file of certificates, or `system` | |
/// | `sslcert`, `sslkey` | PEM files of the client's certificate and its key | |
/// | `sslnegotiation` | `postgres`, or `direct` (Postgres 17) | `postgres` |
/// | `channel_binding` | `disable`, `prefer`, `require` | `prefer` |
/// | `target_session_attrs` | `any`, `read-write`, `read-only`, `primary`, `standby`, `prefer-standby` | `any` |
/// | `load_balance_hosts` | `disable`, or `random` | `disable` |
/// | `pgbouncer` | `true` if connections go through a transaction pooler | `false` |
///
/// In a URL, `ssl=true` is the same as `sslmode=require`. `client_encoding` can only be `UTF8`, and `gssencmode` can be
/// anything but `require`. Files of passwords and services, and the other environment variables of libpq, are not read.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    pub(super) hosts: Vec<Host>,
    pub(super) host_addresses: Vec<IpAddr>,
    pub(super) ports: Vec<u16>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) database: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) tls: TlsOptions,
    pub(super) channel_binding: ChannelBinding,
    pub(super) target_session_attrs: TargetSessionAttrs,
    pub(super) balances_load: bool,
    pub(super) is_pooled: bool,
}

/// The port of a server that listens on the usual one.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// One server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Host {
    /// A name or an IP address.
    Tcp(String),
    /// The folder of a unix socket.
    Unix(PathBuf),
}

/// The settings of TCP keepalive. A setting that is `None` is the system's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keepalive {
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) retries: Option<u32>,
}

impl Keepalive {
    pub(super) const DEFAULT: Self =
        Self { idle: Some(Duration::from_secs(2 * 60 * 60)), interval: None, retries: None };
}

/// The settings of TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TlsOptions {
    pub(super) mode: SslMode,
    pub(super) root: Option<RootCertificates>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// TLS starts without a request.
    pub(super) is_direct: bool,
}

/// The certificates that a server's certificate must be signed by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RootCertificates {
    System,
    File(PathBuf),
}

/// Whether a connection is encrypted, and how the server's certificate is verified.
///
/// The mode is ignored for unix sockets, as in libpq: they are never encrypted.
///
/// `Require` encrypts, and **does not verify the server's certificate** unless `sslrootcert` is set, as in libpq. It
/// protects against eavesdroppers, but not against a server that pretends to be yours. Use `VerifyFull` on every network
/// that others have access to.
///
/// The feature `rustls` contains the TLS that follows this table. A connector of the application decides by itself what
/// it verifies; the mode only decides then whether TLS is used.
///
/// | mode | encrypted | verified |
/// | --- | --- | --- |
/// | `Disable` | never | |
/// | `Allow` | if the server refuses a connection without TLS | as `Require` |
/// | `Prefer` | if the server supports TLS | as `Require` |
/// | `Require` | always | nothing; if `sslrootcert` is set, as `VerifyCa` |
/// | `VerifyCa` | always | the certificate is signed by one of `sslrootcert`, which must be set |
/// | `VerifyFull` | always | and it is issued for the host's name; `sslrootcert` is the system's certificates unless set |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum SslMode {
    /// Never uses TLS.
    Disable,
    /// Uses TLS only if the server refuses a connection without it.
    Allow,
    /// Uses TLS if the server supports it.
    #[default]
    Prefer,
    /// Always uses TLS.
    Require,
    /// Always uses TLS, and verifies that the server's certificate is signed by a known authority.
    VerifyCa,
    /// Always uses TLS, and verifies that the server's certificate is signed by a known authority and issued for the
    /// host.
    VerifyFull,
}

impl SslMode {
    /// The mode as `sslmode` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Whether a connection without TLS is refused.
    pub(super) fn demands_tls(self) -> bool {
        matches!(self, Self::Require | Self::VerifyCa | Self::VerifyFull)
    }
}

/// Whether the authentication proves that both ends of the TLS connection are the same (`SCRAM-SHA-256-PLUS`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// Does not use channel binding.
    Disable,
    /// Uses channel binding if the server and the TLS support it.
    #[default]
    Prefer,
    /// Refuses a server that does not use channel binding.
    Require,
}

/// The kind of session that is accepted, if several hosts are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum TargetSessionAttrs {
    /// Accepts every session.
    #[default]
    Any,
    /// Accepts sessions that can write.
    ReadWrite,
    /// Accepts sessions that cannot write.
    ReadOnly,
    /// Accepts servers that are not in recovery.
    Primary,
    /// Accepts servers that are in recovery.
    Standby,
    /// Accepts servers that are in recovery; if there is none, every server.
    PreferStandby,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            host_addresses: Vec::new(),
            ports: Vec::new(),
            user: None,
            password: None,
            database: None,
            application_name: None,
            options: None,
            connect_timeout: None,
            tcp_user_timeout: None,
            keepalive: Some(Keepalive::DEFAULT),
            tls: TlsOptions::default(),
            channel_binding: ChannelBinding::default(),
            target_session_attrs: TargetSessionAttrs::default(),
            balances_load: false,
            is_pooled: false,
        }
    }
}

impl ConnectOptions {
    /// Returns the default of every option.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host: a name, an IP address, or the absolute path of a folder with a unix socket.
    ///
    /// Hosts are tried in the order in which they were added.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(Host::parse(host));
        self
    }

    /// Adds a port: call this once if all hosts have the same, or once for each host. The default is 5432.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Sets the user. The default is the environment's `PGUSER`, `USER` or `USERNAME`.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    /// Sets the password.
    #[must_use]
    pub fn password(self, password: impl AsRef<[u8]>) -> Self {
        Self { password: Some(password.as_ref().to_vec()), ..self }
    }

    /// Sets the database. The default is the user's name.
    #[must_use]
    pub fn database(self, database: &str) -> Self {
        Self { database: Some(database.to_owned()), ..self }
    }

    /// Sets the name that the server shows in `pg_stat_activity` and in its log.
    #[must_use]
    pub fn application_name(self, name: &str) -> Self {
        Self { application_name: Some(name.to_owned()), ..self }
    }

    /// Sets the arguments of the server's session, for example `-c statement_timeout=5s`.
    #[must_use]
    pub fn options(self, options: &str) -> Self {
        Self { options: Some(options.to_owned()), ..self }
    }

    /// Sets the time limit for the start of a connection to one address. The default is no limit.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: Some(limit), ..self }
    }

    /// Sets how long sent data may remain unacknowledged before the system closes a TCP connection.
    ///
    /// The default is the system's. Only Linux and Android support another.
    #[must_use]
    pub fn tcp_user_timeout(self, limit: Duration) -> Self {
        Self { tcp_user_timeout: Some(limit), ..self }
    }

    /// Sets after how much inactivity TCP keepalive sends a probe. The default is two hours; `None` disables keepalive.
    #[must_use]
    pub fn keepalive(mut self, idle: Option<Duration>) -> Self {
        let current = self.keepalive.unwrap_or(Keepalive::DEFAULT);
        self.keepalive = idle.map(|idle| Keepalive { idle: Some(idle), ..current });
        self
    }

    /// Sets whether a connection is encrypted and verified. The default is [`SslMode::Prefer`].
    #[must_use]
    pub fn ssl_mode(mut self, mode: SslMode) -> Self {
        self.tls.mode = mode;
        self
    }

    /// Sets the PEM file of the certificates that the server's certificate must be signed by.
    #[must_use]
    pub fn ssl_root_cert(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.root = Some(RootCertificates::File(file.into()));
        self
    }

    /// Sets the PEM files of the client's certificate and of its key.
    #[must_use]
    pub fn ssl_client_cert(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.certificate = Some(certificate.into());
        self.tls.key = Some(key.into());
        self
    }

    /// Sets whether the authentication is bound to the TLS connection. The default is [`ChannelBinding::Prefer`].
    #[must_use]
    pub fn channel_binding(self, channel_binding: ChannelBinding) -> Self {
        Self { channel_binding, ..self }
    }

    /// Sets the kind of session that is accepted. The default is [`TargetSessionAttrs::Any`].
    #[must_use]
    pub fn target_session_attrs(self, attrs: TargetSessionAttrs) -> Self {
        Self { target_session_attrs: attrs, ..self }
    }

    /// Sets whether hosts, and the addresses of each, are tried in a random order. The default is `false`.
    #[must_use]
    pub fn load_balance_hosts(self, random: bool) -> Self {
        Self { balances_load: random, ..self }
    }

    /// Sets whether connections go through a transaction pooler, such as pgbouncer or Supavisor. The default is
    /// `false`.
    #[must_use]
    pub fn pgbouncer(self, is_pooled: bool) -> Self {
        Self { is_pooled, ..self }
    }

    /// Whether connections go through a transaction pooler.
    pub(crate) fn is_pooled(&self) -> bool {
        self.is_pooled
    }
}

impl Host {
    pub(super) fn parse(host: &str) -> Self {
        if host.starts_with('/') { Self::Unix(PathBuf::from(host)) } else { Self::Tcp(host.to_owned()) }
    }
}

/// Everything but the password and `options`, which can contain secrets.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("hosts", &self.hosts)
            .field("host_addresses", &self.host_addresses)
            .field("ports", &self.ports)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("application_name", &self.application_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("tls", &self.tls)
            .field("channel_binding", &self.channel_binding)
            .field("target_session_attrs", &self.target_session_attrs)
            .field("is_pooled", &self.is_pooled)
            .finish_non_exhaustive()
    }
}

impl From<tokio_postgres::Config> for ConnectOptions {
    fn from(config: tokio_postgres::Config) -> Self {
        let host = |host: &other::Host| match host {
            other::Host::Tcp(name) => Host::Tcp(name.clone()),
            #[cfg(unix)]
            other::Host::Unix(folder) => Host::Unix(folder.clone()),
        };
        let mode = match config.get_ssl_mode() {
            other::SslMode::Disable => SslMode::Disable,
            other::SslMode::Prefer => SslMode::Prefer,
            // A mode of a newer version is stricter.
            _ => SslMode::Require,
        };
        let channel_binding = match config.get_channel_binding() {
            other::ChannelBinding::Disable => ChannelBinding::Disable,
            other::ChannelBinding::Prefer => ChannelBinding::Prefer,
            _ => ChannelBinding::Require,
        };
        let target_session_attrs = match config.get_target_session_attrs() {
            other::TargetSessionAttrs::ReadWrite => TargetSessionAttrs::ReadWrite,
            other::TargetSessionAttrs::ReadOnly => TargetSessionAttrs::ReadOnly,
            _ => TargetSessionAttrs::Any,
        };
        Self {
            hosts: config.get_hosts().iter().map(host).collect(),
            host_addresses: config.get_hostaddrs().to_vec(),
            ports: config.get_ports().to_vec(),
            user: config.get_user().map(str::to_owned),
            password: config.get_password().map(<[u8]>::to_vec),
            database: config.get_dbname().map(str::to_owned),
            application_name: config.get_application_name().map(str::to_owned),
            options: config.get_options().map(str::to_owned),
            connect_timeout: config.get_connect_timeout().copied().filter(|limit| !limit.is_zero()),
            tcp_user_timeout: config.get_tcp_user_timeout().copied().filter(|limit| !limit.is_zero()),
            keepalive: config.get_keepalives().then(|| Keepalive {
                idle: Some(config.get_keepalives_idle()),
                interval: config.get_keepalives_interval(),
                retries: config.get_keepalives_retries(),
            }),
            tls: TlsOptions {
                mode,
                is_direct: config.get_ssl_negotiation() == other::SslNegotiation::Direct,
                ..TlsOptions::default()
            },
            channel_binding,
            target_session_attrs,
            balances_load: config.get_load_balance_hosts() == other::LoadBalanceHosts::Random,
            is_pooled: false,
        }
    }
}
