//! The connection pool. A connection is returned to it only after its session was verified clean.

use std::fmt;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType, Timeouts,
};

use super::statements::Prepared;
use crate::config::Config;
use crate::error::Error;
use crate::wire::{ConnectOptions, Connection, ConnectionError, Tls, connect};

/// How long a request to cancel a statement may take.
const CANCEL: Duration = Duration::from_secs(5);

pub(crate) struct Pool {
    sessions: managed::Pool<Manager>,
}

/// A connection, and the statements that its session has prepared.
pub(crate) struct PooledSession {
    pub(crate) connection: Connection,
    pub(crate) prepared: Prepared,
}

struct Manager {
    options: ConnectOptions,
    /// The options of a session that marks it as the server's own.
    mark: String,
    tls: Tls,
    answer_timeout: Option<Duration>,
}

impl managed::Manager for Manager {
    type Type = PooledSession;
    type Error = ConnectionError;

    async fn create(&self) -> Result<PooledSession, ConnectionError> {
        // On the heap: it is large and rare, and each statement's future may have to connect.
        let connected = Box::pin(connect(&self.options, &self.tls, &self.mark)).await?;
        let connection = Connection::new(connected, self.answer_timeout);
        Ok(PooledSession { connection, prepared: Prepared::default() })
    }

    /// Costs no round trip.
    async fn recycle(&self, session: &mut PooledSession, _: &Metrics) -> RecycleResult<ConnectionError> {
        if session.connection.is_usable() {
            Ok(())
        } else {
            Err(RecycleError::message("the connection ended"))
        }
    }
}

/// A start-up option, which poolers drop or reject. Its value differs each time: SQL may have left an earlier one in
/// the session that a pooler hands out.
const MARK: &str = "-c tenancy.direct=";
const IS_MARKED: &str = "SELECT pg_catalog.current_setting('tenancy.direct', true)";
/// Poolers reject an option that they do not know with this SQLSTATE, `protocol_violation`.
const REJECTED: &str = "08P01";

impl Pool {
    /// Connects, and returns whether the connection is to the server itself and not to a transaction pooler.
    pub(crate) async fn open(config: &Config, tls: Tls) -> Result<(Self, bool), Error> {
        if !config.is_pooled() {
            let nonce = format!("{:016x}", fastrand::u64(..));
            let pool = Self::new(config, format!("{MARK}{nonce}"), tls.clone())?;
            if pool.is_marked(&nonce).await? {
                return Ok((pool, true));
            }
        }
        Ok((Self::new(config, String::new(), tls)?, false))
    }

    async fn is_marked(&self, nonce: &str) -> Result<bool, Error> {
        let mut lease = match self.get().await {
            Err(Error::Connection(ConnectionError::Server(error))) if error.code() == REJECTED => {
                return Ok(false);
            }
            lease => lease?,
        };
        let rows = lease.connection()?.query(IS_MARKED, &[]).await??;
        let marked: Option<&str> = rows.first().and_then(|row| row.try_get(0).ok());
        let is_direct = marked == Some(nonce);
        lease.give_back();
        Ok(is_direct)
    }

    fn new(config: &Config, mark: String, tls: Tls) -> Result<Self, Error> {
        let answer_timeout = config.answer_timeout;
        let manager = Manager { options: config.options.clone(), mark, tls, answer_timeout };
        let wait = Some(config.acquire_timeout);
        let sessions = managed::Pool::builder(manager)
            .max_size(config.max_connections)
            // The session that was used last has warm caches.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts { wait, create: wait, recycle: None })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| Error::Config("cannot build the pool"))?;
        Ok(Self { sessions })
    }

    pub(crate) async fn get(&self) -> Result<Lease<'_>, Error> {
        match self.sessions.get().await {
            Ok(session) => Ok(Lease { pool: self, session: Some(session), is_busy: false }),
            Err(PoolError::Backend(error)) => Err(Error::Connection(error)),
            Err(PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle)) => {
                Err(Error::PoolTimeout)
            }
            Err(_) => Err(Error::Config("the pool is closed")),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.sessions.status();
        f.debug_struct("Pool")
            .field("size", &status.size)
            .field("available", &status.available)
            .finish_non_exhaustive()
    }
}

/// A connection in use. When this is dropped, the connection is closed, unless it was given back.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    /// `None` after it was closed or given back.
    session: Option<Object<Manager>>,
    /// Set while an answer is awaited, and left set by a future that is dropped meanwhile.
    pub(crate) is_busy: bool,
}

impl Lease<'_> {
    pub(crate) fn session(&mut self) -> Result<&mut PooledSession, Error> {
        self.session.as_deref_mut().ok_or(Error::TxClosed)
    }

    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Error> {
        self.session().map(|session| &mut session.connection)
    }

    /// Returns the connection to the pool: nothing of this transaction is left in its session.
    pub(crate) fn give_back(mut self) {
        self.session = None;
    }

    /// Closes the connection: the server rolls back what is not committed. A statement that is running is cancelled.
    pub(crate) fn close(&mut self) {
        let Some(session) = self.session.take() else { return };
        let session = Object::take(session);
        if !self.is_busy {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (key, tls) =
                (session.connection.cancel_key().clone(), self.pool.sessions.manager().tls.clone());
            runtime.spawn(async move {
                // The connection is closed in any case; without the request the server notices later.
                let _ = tokio::time::timeout(CANCEL, key.cancel(&tls)).await;
            });
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
