//! Postgres servers that listen on an address of the machine, with users for each method of authentication.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

use tenancy_testkit::PgServer;

use super::ConnectOptions;

const USERS: &str = "
SET password_encryption = 'md5';
CREATE ROLE hashed LOGIN PASSWORD 'secret';
SET password_encryption = 'scram-sha-256';
CREATE ROLE trusting LOGIN;
CREATE ROLE cleartext LOGIN PASSWORD 'secret';
CREATE ROLE scram LOGIN PASSWORD 'secret';
CREATE ROLE scram_for_md5 LOGIN PASSWORD 'secret';
CREATE ROLE only_tls LOGIN PASSWORD 'secret';
CREATE ROLE only_plain LOGIN PASSWORD 'secret';
";

const HBA: &str = "\
local all postgres trust
host all trusting 127.0.0.0/8 trust
host all cleartext 127.0.0.0/8 password
host all hashed,scram_for_md5 127.0.0.0/8 md5
host all scram 127.0.0.0/8 scram-sha-256
hostssl all only_tls 127.0.0.0/8 scram-sha-256
hostnossl all only_plain 127.0.0.0/8 scram-sha-256
";

pub(super) struct Server {
    postgres: PgServer,
    address: SocketAddr,
    /// The name in its certificate.
    name: &'static str,
}

impl Server {
    pub(super) fn start() -> Self {
        static STARTED: AtomicU8 = AtomicU8::new(1);
        // The port is fixed, so that each server has an address of its own.
        let [_, _, high, low] = process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, high | 0x40, low, STARTED.fetch_add(1, Ordering::Relaxed));
        let options = PgServer::options().setting("listen_addresses", &ip.to_string());
        let server = options.start().expect("a server");
        server.execute("postgres", USERS).expect("users");
        let started = Self { address: (ip, server.port()).into(), postgres: server, name: "db.test" };
        started.write("pg_hba.conf", HBA);
        started.reload();
        started
    }

    #[cfg(feature = "rustls")]
    pub(super) fn with_tls(authority: &Authority, name: &'static str) -> Self {
        let mut started = Self::start();
        started.name = name;
        let (certificate, key) = authority.issue(name);
        started.write("server.crt", &certificate);
        started.write("server.key", &key);
        started.postgres.execute("postgres", "ALTER SYSTEM SET ssl = on").expect("TLS");
        started.reload();
        started
    }

    /// Writes a file of the server, as the server's user.
    fn write(&self, name: &str, content: &str) {
        let sql = format!(
            "COPY (SELECT unnest(string_to_array($file${}$file$, E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'",
            content.trim_end()
        );
        self.postgres.execute("postgres", &sql).expect("a file of the server");
    }

    /// Reads the files again, and waits until a new connection sees it.
    fn reload(&self) {
        let wait = "SELECT pg_reload_conf(); SELECT pg_sleep(0.2);";
        self.postgres.execute("postgres", wait).expect("a reload");
    }

    pub(super) fn local(&self) -> &PgServer {
        &self.postgres
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn tcp(&self, user: &str) -> ConnectOptions {
        self.tcp_as(self.name, user)
    }

    /// Options with another name of the host.
    pub(super) fn tcp_as(&self, name: &str, user: &str) -> ConnectOptions {
        let options =
            ConnectOptions::new().host(name).port(self.address.port()).user(user).database("postgres");
        options.at(self.address)
    }
}

impl ConnectOptions {
    /// The same host, at another address.
    pub(super) fn at(mut self, address: SocketAddr) -> Self {
        let ip: IpAddr = address.ip();
        (self.host_addresses, self.ports) = (vec![ip], vec![address.port()]);
        self
    }
}

/// An authority that issues certificates.
#[cfg(feature = "rustls")]
pub(super) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    file: tempfile::NamedTempFile,
}

#[cfg(feature = "rustls")]
impl Authority {
    pub(super) fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), certificate.pem()).expect("a file");
        Self { issuer: rcgen::Issuer::new(params, key), file }
    }

    pub(super) fn file(&self) -> &std::path::Path {
        self.file.path()
    }

    /// A certificate for a host and its key, as PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    pub(super) fn server_config(&self, name: &str) -> rustls::ServerConfig {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};

        let (certificate, key) = self.issue(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a certificate")
    }

    pub(super) fn client_config(&self) -> rustls::ClientConfig {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;

        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file()).expect("a certificate")).expect("a certificate");
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.expect("versions").with_root_certificates(roots).with_no_client_auth()
    }
}
