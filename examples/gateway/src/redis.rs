//! What instances share, where there is a Redis.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr};
use tokio::time::timeout;

/// How long the start may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits before it goes on without.
pub const TIMEOUT: Duration = Duration::from_millis(100);

/// A server's address, in which there may be a password: it is shown to nobody.
#[derive(Clone)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Connects, and from then on again whenever the connection is lost.
    ///
    /// # Errors
    ///
    /// Where the address can't be read, or the server not be reached within 5 s. They name host and port alone.
    pub async fn connect(&self) -> Result<ConnectionManager> {
        // What is wrong with it is not repeated: it may be a part of it.
        let client = Client::open(&*self.0)
            .map_err(|_| anyhow::anyhow!("the address of Redis can't be read: redis://HOST:PORT is one"))?;
        let address = name(client.get_connection_info().addr());
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_max_delay(Duration::from_secs(1));
        let connection = timeout(PATIENCE, ConnectionManager::new_with_config(client, config)).await;
        connection
            .map_err(anyhow::Error::from)
            .and_then(|connected| connected.map_err(|error| anyhow::anyhow!(error.category().to_owned())))
            .with_context(|| format!("can't reach Redis at {address}"))
    }
}

fn name(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            format!("{host}:{port}")
        }
        ConnectionAddr::Unix(path) => path.display().to_string(),
        _ => "its address".to_owned(),
    }
}

impl FromStr for RedisUrl {
    type Err = Infallible;

    // What can't be read is an error at the start, and not clap's, which would show it.
    fn from_str(url: &str) -> Result<Self, Infallible> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}
