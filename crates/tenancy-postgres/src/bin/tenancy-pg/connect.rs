//! The connection to the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tenancy_postgres::{AdminAccess, AdminDb};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::args::Global;
use crate::failure::Failure;

/// The time limit for a connection, unless the URL has one.
const CONNECT: Duration = Duration::from_secs(10);

pub(crate) async fn connect(global: &Global, command: &str) -> Result<AdminDb, Failure> {
    let reason = global.reason.clone().unwrap_or_else(|| format!("tenancy-pg {command}"));
    let access = AdminAccess::new(reason).map_err(|error| Failure::Usage(error.to_string()))?;
    let url = global.url.as_deref().filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| usage("the database is missing: use --url URL, or set DATABASE_URL"))?;
    // The error can contain the URL, which can contain a password.
    let mut postgres: tokio_postgres::Config =
        url.parse().map_err(|_| usage("invalid URL; its sslmode can be disable, prefer or require"))?;
    if postgres.get_connect_timeout().is_none() {
        postgres.connect_timeout(CONNECT);
    }
    if postgres.get_ssl_mode() == SslMode::Disable {
        return Ok(AdminDb::connect(postgres, access).await?);
    }
    let tls = tls(global.ca_file.as_deref(), postgres.get_ssl_negotiation())?;
    Ok(AdminDb::connect_tls(postgres, access, tls).await?)
}

fn tls(ca_file: Option<&Path>, negotiation: SslNegotiation) -> Result<MakeRustlsConnect, Failure> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| usage(&format!("cannot use TLS: {error}")))?;
    let mut config = config.with_root_certificates(roots(ca_file)?).with_no_client_auth();
    if negotiation == SslNegotiation::Direct {
        // The server closes a connection without it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        // Without certificates each TLS connection fails; a server without TLS still works.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let bad = |error: &dyn std::fmt::Display| usage(&format!("cannot read {}: {error}", path.display()));
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() {
        return Err(bad(&"the file has no certificate"));
    }
    Ok(roots)
}

fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}
