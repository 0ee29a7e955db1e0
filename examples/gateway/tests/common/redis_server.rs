//! A redis-server, and what the service makes of it.

#[path = "../../../../tests/common/redis_server.rs"]
mod shared;

use std::time::Duration;

use gateway::shared::{RedisUrl, SharedRedis};
use redis::FromRedisValue;

use super::PATIENCE;

pub(crate) use shared::Server;

impl Server {
    /// As an instance of the service has it, for which a machine that is held up is no outage.
    pub(crate) async fn shared(&self) -> SharedRedis {
        self.shared_within(PATIENCE).await
    }

    /// As an instance has it that soon takes the server for one that fails.
    pub(crate) async fn shared_within(&self, longest: Duration) -> SharedRedis {
        SharedRedis::connect(&RedisUrl::from(self.url()), longest).await.expect("a connection")
    }

    /// What a line of words gives, whose ever the keys are.
    pub(crate) fn ask<T: FromRedisValue>(&self, line: &str) -> T {
        let words: Vec<_> = line.split(' ').collect();
        let reply = redis::cmd(words[0]).arg(&words[1..]).query(&mut self.raw());
        reply.unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}
