//! Connections, of which none goes back unless it is known to be clean.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Socket};

use crate::config::Config;
use crate::error::Error;

/// How long a request to cancel may take.
const CANCEL: Duration = Duration::from_secs(5);

type Cancelling = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Pool {
    connections: deadpool_postgres::Pool,
    cancel: Box<dyn Fn(CancelToken) -> Cancelling + Send + Sync>,
}

/// A start-up option, which poolers drop or refuse. Its value is new each time: SQL may have left another there.
const MARK: &str = "-c tenancy.direct=";
const IS_MARKED: &str = "SELECT pg_catalog.current_setting('tenancy.direct', true)";

impl Pool {
    /// Connects, and says whether to the server itself.
    pub(crate) async fn open<T>(config: &Config, tls: T) -> Result<(Self, bool), Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        if !config.is_pooled {
            let nonce = format!("{:016x}", RandomState::new().build_hasher().finish());
            let pool = Self::new(config, Some(&format!("{MARK}{nonce}")), tls.clone())?;
            if pool.is_marked(&nonce).await? {
                return Ok((pool, true));
            }
        }
        Ok((Self::new(config, None, tls)?, false))
    }

    async fn is_marked(&self, nonce: &str) -> Result<bool, Error> {
        let lease = match self.get().await {
            // pgbouncer says so of an option that it does not know.
            Err(Error::Postgres(error)) if error.code() == Some(&SqlState::PROTOCOL_VIOLATION) => {
                return Ok(false);
            }
            lease => lease?,
        };
        let client = lease.client().ok_or(Error::TxClosed)?;
        let rows = client.query_typed(IS_MARKED, &[]).await?;
        let marked: Option<&str> = rows.first().and_then(|row| row.try_get(0).ok());
        let is_direct = marked == Some(nonce);
        lease.give_back();
        Ok(is_direct)
    }

    fn new<T>(config: &Config, option: Option<&str>, tls: T) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let cancel_tls = tls.clone();
        // A look whether it is closed, and no round trip.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let mut postgres = config.postgres.clone();
        if let Some(option) = option {
            let own = postgres.get_options().unwrap_or_default();
            postgres.options(format!("{own} {option}"));
        }
        let manager = Manager::from_config(postgres, tls, recycling);
        let wait = Some(config.wait);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool_size)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| Error::Config("the pool can't be built"))?;
        let cancel = Box::new(move |token: CancelToken| -> Cancelling {
            let tls = cancel_tls.clone();
            Box::pin(async move {
                // The connection closes all the same: it only ends later.
                let _ = tokio::time::timeout(CANCEL, token.cancel_query(tls)).await;
            })
        });
        Ok(Self { connections, cancel })
    }

    pub(crate) async fn get(&self) -> Result<Lease<'_>, Error> {
        match self.connections.get().await {
            Ok(connection) => Ok(Lease { pool: self, connection: Some(connection), is_busy: false }),
            Err(PoolError::Backend(error)) => Err(Error::Postgres(error)),
            Err(PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle)) => {
                Err(Error::PoolTimeout)
            }
            Err(_) => Err(Error::Config("the pool is closed")),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.connections.status();
        f.debug_struct("Pool")
            .field("size", &status.size)
            .field("available", &status.available)
            .finish_non_exhaustive()
    }
}

/// A connection in use. It is closed when this is dropped, unless it was given back.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    /// Some, until it is closed or given back.
    connection: Option<Object>,
    /// Set while an answer is awaited, so that a future that is dropped on the way leaves it set.
    pub(crate) is_busy: bool,
}

impl Lease<'_> {
    /// None: it was closed.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.connection.as_deref().map(|client| &**client)
    }

    pub(crate) fn client_mut(&mut self) -> Result<&mut Client, Error> {
        self.connection.as_deref_mut().map(|client| &mut **client).ok_or(Error::TxClosed)
    }

    /// To the pool: nothing of this transaction is left in it.
    pub(crate) fn give_back(mut self) {
        self.connection = None;
    }

    /// The server ends what it does for this connection, and rolls back what is not committed.
    pub(crate) fn close(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let connection = Object::take(connection);
        if !self.is_busy {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn((self.pool.cancel)(connection.cancel_token()));
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
