//! A Redis server of the test's own, and two tenants.

#[cfg(feature = "tokio")]
pub(crate) mod aio;
pub(crate) mod liar;
pub(crate) mod recorder;

#[cfg(feature = "tokio")]
use std::collections::BTreeMap;

use redis::{Client, Cmd, Connection, ConnectionLike, FromRedisValue};
use tenancy::{TenantId, tenant_id};
use tenancy_redis::TenantRedis;
use tenancy_testkit::RedisServer;

pub(crate) const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
pub(crate) const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");
pub(crate) const PREFIX_A: &str = "t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:";
pub(crate) const PREFIX_B: &str = "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:";

/// A Redis server, with connections for tests.
pub(crate) struct Server {
    pub(crate) process: RedisServer,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self { process: RedisServer::start().expect("a server") }
    }

    /// Returns a client that speaks RESP2 or RESP3.
    pub(crate) fn client(&self, resp: u8) -> Client {
        Client::open(format!("{}?protocol=resp{resp}", self.process.url())).expect("a valid URL")
    }

    /// Returns a connection without a tenant.
    pub(crate) fn raw(&self) -> Connection {
        self.client(2).get_connection().expect("a connection")
    }

    pub(crate) fn tenant(&self, tenant: TenantId) -> TenantRedis<Connection> {
        TenantRedis::new(self.raw(), tenant)
    }

    /// Returns every key on the server, sorted.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut self.raw()).expect("keys");
        keys.sort();
        keys
    }

    /// Removes the expiry of every key with the prefix.
    pub(crate) fn persist(&self, prefix: &str) {
        let own = self.keys().into_iter().filter(|key| key.starts_with(prefix.as_bytes()));
        for key in own {
            redis::cmd("PERSIST").arg(key).exec(&mut self.raw()).expect("a reply");
        }
    }

    /// Returns every key with the prefix, and its value.
    pub(crate) fn dump(&self, prefix: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut raw = self.raw();
        let own = self.keys().into_iter().filter(|key| key.starts_with(prefix.as_bytes()));
        own.map(|key| (key.clone(), redis::cmd("DUMP").arg(key).query(&mut raw).expect("a value"))).collect()
    }
}

/// Returns every key of a server, with its value and its time to live in milliseconds (-1: no expiry).
#[cfg(feature = "tokio")]
pub(crate) fn dump_all(raw: &mut Connection) -> BTreeMap<Vec<u8>, (Vec<u8>, i64)> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(raw).expect("keys");
    let mut all = BTreeMap::new();
    for keys in keys.chunks(1000) {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("DUMP").arg(key).pttl(key);
        }
        let values: Vec<redis::Value> = pipeline.query(raw).expect("values");
        for (key, pair) in keys.iter().zip(values.chunks(2)) {
            let pair = redis::Value::Array(pair.to_vec());
            all.insert(key.clone(), redis::from_redis_value(pair).expect("a value and its time to live"));
        }
    }
    all
}

/// Returns the command of a line of words.
pub(crate) fn command(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    cmd
}

/// Returns the reply to a line of words.
pub(crate) fn ask<T: FromRedisValue>(connection: &mut dyn ConnectionLike, line: &str) -> T {
    command(line).query(connection).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Returns one of the elements, at random.
pub(crate) fn pick<'a, T: ?Sized>(rng: &mut fastrand::Rng, among: &[&'a T]) -> &'a T {
    among[rng.usize(..among.len())]
}
