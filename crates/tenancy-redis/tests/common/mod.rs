//! A redis-server of the test's own, and two tenants.

#![allow(dead_code, reason = "no test file uses all of it")]

#[cfg(feature = "cluster")]
pub(crate) mod cluster;
pub(crate) mod liar;
pub(crate) mod outage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use redis::{Client, Cmd, Connection, ConnectionLike, FromRedisValue, Value};
use tenancy::{TenantId, tenant_id};
use tenancy_redis::TenantRedis;

pub(crate) const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
pub(crate) const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");
pub(crate) const PREFIX_A: &str = "t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:";
pub(crate) const PREFIX_B: &str = "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:";

/// A server on a unix socket, which ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-redis-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(folder.join("socket"))
            .arg("--dir")
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `cargo xtask test redis` does it");
        let server = Self { child, folder };
        let end = Instant::now() + Duration::from_secs(30);
        while server.client(2).get_connection().is_err() {
            assert!(Instant::now() < end, "redis-server did not listen within 30 s");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// A client that speaks RESP2 or RESP3.
    pub(crate) fn client(&self, resp: u8) -> Client {
        let socket = self.folder.join("socket");
        Client::open(format!("unix://{}?protocol=resp{resp}", socket.display())).expect("an address")
    }

    pub(crate) fn raw(&self) -> Connection {
        self.client(2).get_connection().expect("a connection")
    }

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

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
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
