//! A redis-server of the test's own, and two tenants.

#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod aio;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod liar;
pub(crate) mod recorder;
#[path = "../../../../tests/common/redis_server.rs"]
mod redis_server;

use std::collections::BTreeMap;

use redis::{Cmd, Connection, ConnectionLike, FromRedisValue, Value};
use tenancy::{TenantId, tenant_id};
use tenancy_redis::TenantRedis;

pub(crate) use redis_server::Server;

pub(crate) const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
pub(crate) const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");
pub(crate) const PREFIX_A: &str = "t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:";
pub(crate) const PREFIX_B: &str = "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:";

impl Server {
    pub(crate) fn tenant(&self, tenant: TenantId) -> TenantRedis<Connection> {
        TenantRedis::new(self.raw(), tenant)
    }

    /// Every key on the server, sorted.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut self.raw()).expect("keys");
        keys.sort();
        keys
    }

    /// From now on no key of the prefix runs out.
    pub(crate) fn persist(&self, prefix: &str) {
        let own = self.keys().into_iter().filter(|key| key.starts_with(prefix.as_bytes()));
        for key in own {
            redis::cmd("PERSIST").arg(key).exec(&mut self.raw()).expect("a reply");
        }
    }

    /// Every key of a prefix, with its value.
    pub(crate) fn dump(&self, prefix: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut raw = self.raw();
        let own = self.keys().into_iter().filter(|key| key.starts_with(prefix.as_bytes()));
        own.map(|key| (key.clone(), redis::cmd("DUMP").arg(key).query(&mut raw).expect("a value"))).collect()
    }
}

/// Every key of a server, with its value and its time to live in milliseconds (-1: for ever).
pub(crate) fn dump_all(raw: &mut Connection) -> BTreeMap<Vec<u8>, (Vec<u8>, i64)> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(raw).expect("keys");
    let mut all = BTreeMap::new();
    for keys in keys.chunks(1000) {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("DUMP").arg(key).pttl(key);
        }
        let values: Vec<Value> = pipeline.query(raw).expect("values");
        for (key, pair) in keys.iter().zip(values.chunks(2)) {
            let pair = Value::Array(pair.to_vec());
            all.insert(key.clone(), redis::from_redis_value(pair).expect("a value and its time to live"));
        }
    }
    all
}

/// A command of words.
pub(crate) fn command(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    cmd
}

/// What a line of words gives.
pub(crate) fn ask<T: FromRedisValue>(connection: &mut dyn ConnectionLike, line: &str) -> T {
    command(line).query(connection).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A small fast generator (splitmix64): a test prints the seed, and the seed repeats the test.
#[derive(Debug)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    #[allow(clippy::cast_possible_truncation, reason = "below `end`")]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % end as u64) as usize
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.below(among.len())]
    }
}
