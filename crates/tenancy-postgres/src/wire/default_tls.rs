//! The TLS connector that connection options ask for.

use super::error::ConnectionError;
use super::options::ConnectOptions;
#[cfg(feature = "rustls")]
use super::options::SslMode;
use super::tls::Tls;
#[cfg(not(feature = "rustls"))]
use super::tls::no_connector;

impl Tls {
    /// Returns the connector of the feature `rustls`, if the options use TLS.
    ///
    /// # Errors
    ///
    /// If a file of certificates cannot be read, or if the options demand TLS and the feature is not enabled.
    pub(crate) fn of_options(options: &ConnectOptions) -> Result<Self, ConnectionError> {
        #[cfg(feature = "rustls")]
        {
            if options.tls.mode == SslMode::Disable || !options.uses_network() {
                return Ok(Self::none());
            }
            super::rustls::connector(&options.tls).map(Self::new)
        }
        #[cfg(not(feature = "rustls"))]
        {
            if options.tls.mode.demands_tls() && options.uses_network() {
                return Err(no_connector(options.tls.mode));
            }
            Ok(Self::none())
        }
    }
}
