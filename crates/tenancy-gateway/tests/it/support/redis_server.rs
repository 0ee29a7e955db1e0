//! A Redis server, and a connection to it as the service has one.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use redis::{Client, Connection, FromRedisValue};
use tenancy_gateway::shared::{RedisUrl, SharedRedis};
use tenancy_testkit::RedisServer;

use super::PATIENCE;

/// A server of the test's own.
pub(crate) struct Server(RedisServer);

impl Server {
    pub(crate) fn start() -> Self {
        Self(RedisServer::start().expect("a server"))
    }

    pub(crate) fn with_password(password: &str) -> Self {
        Self(RedisServer::with_password(password).expect("a server"))
    }

    /// Connects as an instance of the service, with a time-out that a busy machine does not reach.
    pub(crate) async fn shared(&self) -> SharedRedis {
        self.shared_within(PATIENCE).await
    }

    /// Connects as an instance that soon considers the server failed.
    pub(crate) async fn shared_within(&self, timeout: Duration) -> SharedRedis {
        SharedRedis::connect(&RedisUrl::from(self.url()), timeout).await.expect("a connection")
    }

    /// Connects past the service: every tenant's keys can be reached.
    pub(crate) fn raw(&self) -> Connection {
        Client::open(self.url()).expect("a URL").get_connection().expect("a connection")
    }

    /// Returns the reply to a command line.
    pub(crate) fn ask<T: FromRedisValue>(&self, line: &str) -> T {
        let words: Vec<_> = line.split(' ').collect();
        let reply = redis::cmd(words[0]).arg(&words[1..]).query(&mut self.raw());
        reply.unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

impl Deref for Server {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.0
    }
}
