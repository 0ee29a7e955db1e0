//! The Redis server that instances share.

mod health;
mod url;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tokio::time::timeout;

use health::{Health, reason};

pub use url::RedisUrl;

/// The time limit for connecting at the start.
const START: Duration = Duration::from_secs(5);
/// The maximum pause between attempts to reconnect.
const PAUSE: Duration = Duration::from_secs(1);

/// A connection that reconnects by itself.
///
/// A command that exceeds its time limit fails. After a failure, one command per second is sent, and the others fail at
/// once until one succeeds, so that requests do not wait for a server that is down. The log records the start and the
/// end of an outage.
#[derive(Clone)]
pub struct SharedRedis {
    client: Client,
    connection: Arc<Mutex<ConnectionManager>>,
    health: Arc<Health>,
    longest: Duration,
}

impl SharedRedis {
    /// Connects, with a time limit for each command. If it is more than a second, several commands can wait for a server
    /// that is down.
    ///
    /// # Errors
    ///
    /// If the URL is invalid, or if the server does not answer within 5 s. The error contains only the host and port of
    /// the URL.
    pub async fn connect(url: &RedisUrl, longest: Duration) -> Result<Self> {
        let client = url.client()?;
        let address = client.get_connection_info().addr().to_string();
        let connection = match timeout(START, connect(&client)).await {
            Ok(connected) => connected.map_err(|error| anyhow!(reason(&error))),
            Err(_) => Err(anyhow!("it did not answer within {} s", START.as_secs())),
        };
        let connection = connection.with_context(|| format!("cannot use the Redis at {address}"))?;
        let (connection, health) = (Arc::new(Mutex::new(connection)), Arc::default());
        Ok(Self { client, connection, health, longest })
    }

    /// Returns whether the last command succeeded.
    pub fn is_up(&self) -> bool {
        self.health.is_up()
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask<T>(&self, call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let was_down = !self.health.is_up();
        let reply = self.health.watch(self.longest, call).await;
        if was_down && reply.as_ref().is_err_and(RedisError::is_timeout) {
            self.renew();
        }
        reply
    }

    /// Replaces the connection. The system would wait for a vanished peer for more than 15 minutes.
    fn renew(&self) {
        let (client, connection) = (self.client.clone(), Arc::clone(&self.connection));
        tokio::spawn(async move {
            if let Ok(Ok(new)) = timeout(PAUSE, manager(client)).await {
                *connection.lock().unwrap_or_else(PoisonError::into_inner) = new;
            }
        });
    }
}

async fn connect(client: &Client) -> RedisResult<ConnectionManager> {
    // The manager retries forever and would not return the error. The caller has a time limit.
    let first = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let mut first = client.get_multiplexed_async_connection_with_config(&first).await?;
    // Without a password, connecting succeeds and commands fail.
    redis::cmd("PING").exec_async(&mut first).await?;
    manager(client.clone()).await
}

async fn manager(client: Client) -> RedisResult<ConnectionManager> {
    let forever = ConnectionManagerConfig::new().set_number_of_retries(usize::MAX).set_max_delay(PAUSE);
    // `Health` has the time limit of commands.
    let forever = forever.set_response_timeout(None);
    ConnectionManager::new_with_config(client, forever).await
}

impl ConnectionLike for SharedRedis {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut connection = self.connection();
        Box::pin(async move { self.ask(connection.req_packed_command(cmd)).await })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut connection = self.connection();
        Box::pin(async move { self.ask(connection.req_packed_commands(pipeline, offset, count)).await })
    }

    fn get_db(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }
}

/// Does not show the address, which can contain a password.
impl fmt::Debug for SharedRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRedis").field("is_up", &self.health.is_up()).finish_non_exhaustive()
    }
}
