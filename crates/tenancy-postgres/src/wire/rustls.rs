//! TLS by rustls, as `sslmode` and `sslrootcert` demand.

mod certificate;
mod verifier;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use self::certificate::server_end_point;
use self::verifier::{Check, Verifier};
use super::error::ConnectionError;
use super::options::{RootCertificates, SslMode, TlsOptions};
use super::stream::Socket;
use super::tls::{BoxError, Connector, Handshake};

/// A connector that verifies what the options demand.
///
/// # Errors
///
/// If a file of certificates or of a key cannot be read.
pub(super) fn connector(options: &TlsOptions) -> Result<impl Connector + use<>, ConnectionError> {
    let provider = Arc::new(ring::default_provider());
    let roots = match (&options.root, options.mode) {
        (Some(RootCertificates::File(file)), _) => from_file(file)?,
        (Some(RootCertificates::System), _) | (None, SslMode::VerifyFull) => of_the_system()?,
        (None, SslMode::VerifyCa) => return Err(failed("sslmode=verify-ca needs a file as sslrootcert")),
        (None, _) => RootCertStore::empty(),
    };
    let check = match (options.mode, &options.root) {
        (SslMode::VerifyFull, _) => Check::Name,
        (_, Some(RootCertificates::System)) => {
            return Err(failed("sslrootcert=system needs sslmode=verify-full"));
        }
        (SslMode::VerifyCa, _) | (_, Some(RootCertificates::File(_))) => Check::Authority,
        (_, None) => Check::Nothing,
    };
    let verifier = Verifier::new(check, roots, &provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("sslkey", &error))?;
            let chain = certificates("sslcert", certificate)?;
            config.with_client_auth_cert(chain, key).map_err(|error| unreadable("sslcert", &error))?
        }
        _ => config.with_no_client_auth(),
    };
    if options.is_direct {
        // The server refuses a direct start without it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Rustls(TlsConnector::from(Arc::new(config))))
}

struct Rustls(TlsConnector);

impl Connector for Rustls {
    fn connect(&self, host: &str, socket: Socket) -> BoxFuture<'static, Result<Handshake, BoxError>> {
        let (connector, name) = (self.0.clone(), ServerName::try_from(host.to_owned()));
        Box::pin(async move {
            let stream = connector.connect(name?, socket).await?;
            let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let server_end_point = certificate.and_then(|certificate| server_end_point(certificate));
            Ok(Handshake { stream: Box::new(stream), server_end_point })
        })
    }
}

fn of_the_system() -> Result<RootCertStore, ConnectionError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(failed("the system has no root certificates; set sslrootcert"));
    }
    Ok(roots)
}

fn from_file(file: &Path) -> Result<RootCertStore, ConnectionError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("sslrootcert", file)? {
        roots.add(certificate).map_err(|error| unreadable("sslrootcert", &error))?;
    }
    Ok(roots)
}

fn certificates(parameter: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectionError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(parameter, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(parameter, &"no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(parameter: &str, problem: &dyn fmt::Display) -> ConnectionError {
    ConnectionError::Tls(format!("cannot use the file of {parameter}: {problem}").into())
}

fn failed(problem: &(impl fmt::Display + ?Sized)) -> ConnectionError {
    ConnectionError::Tls(problem.to_string().into())
}
