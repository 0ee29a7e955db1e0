//! A server with data of two tenants, and what must stay as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Connection, Value};
use tenancy::{TenantId, tenant_id};
use tenancy_testkit::RedisServer;

pub(crate) const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
pub(crate) const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");
pub(crate) const PREFIX_A: &str = "t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:";
pub(crate) const PREFIX_B: &str = "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:";

/// A text in all values of tenant B, and in some of its names. Tenant A does not know it.
pub(crate) const CANARY: &str = "canary";

/// How long a busy machine may take to reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// The keys of tenant A. Those of tenant B have the same names.
const OWN: &[&str] = &[
    "SET k own",
    "SET n 10",
    "SET last own",
    "SET STORE own",
    "RPUSH l 1 2 3",
    "HSET h f v g w",
    "SADD s m1 m2",
    "ZADD z 1 m 2 n",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "GEOADD geo 0 0 here",
    "PFADD hll 1 2 3",
    "MSET w_1 3 w_2 2 w_3 1 d_1 one d_2 two d_3 three",
];

const FOREIGN: &[&str] = &[
    "SET k canary-k",
    "SET n 7777",
    "SET last canary-last",
    "SET STORE canary-store",
    "RPUSH l canary-l 2 3",
    "HSET h f canary-f canary-g w",
    "SADD s canary-s m2",
    "ZADD z 1 canary-z 2 n",
    "XADD x 1-1 f canary-x",
    "XGROUP CREATE x g 0",
    "GEOADD geo 0 0 canary-geo",
    "PFADD hll canary-hll",
    "MSET w_1 1 w_2 2 w_3 3 d_1 canary-d1 d_2 canary-d2 d_3 canary-d3",
    "SET canary-name canary-value",
    "SET k:canary canary-nested",
    "SET dated canary-dated PXAT 4000000000000",
];

/// A key, and its value and expiry.
pub(crate) type Keys = BTreeMap<(usize, Vec<u8>), (Value, i64)>;

/// A server with data of both tenants.
pub(crate) struct World {
    pub(crate) server: RedisServer,
    admin: Connection,
    /// How many commands the server counts for the counting itself.
    own_commands: u64,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(RedisServer::options().start().expect("a server"))
    }

    pub(crate) fn with(server: RedisServer) -> Self {
        let admin = client(&server, 2).get_connection().expect("a connection");
        let mut world = Self { server, admin, own_commands: 0 };
        world.reset();
        let first = world.processed();
        world.own_commands = world.processed() - first;
        world
    }

    /// Removes all keys and scripts, and writes the data of both tenants.
    pub(crate) fn reset(&mut self) {
        let mut pipeline = redis::pipe();
        for line in ["FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH"] {
            pipeline.add_command(words(line));
        }
        for (lines, prefix) in [(OWN, PREFIX_A), (FOREIGN, PREFIX_B)] {
            for line in lines {
                pipeline.add_command(prefixed(line, prefix));
            }
        }
        pipeline.exec(&mut self.admin).expect("data");
    }

    pub(crate) fn client(&self, resp: u8) -> Client {
        client(&self.server, resp)
    }

    /// Returns a connection without a tenant.
    pub(crate) fn raw(&self, resp: u8) -> Connection {
        self.client(resp).get_connection().expect("a connection")
    }

    pub(crate) async fn multiplexed(&self, resp: u8) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = self.client(resp);
        client.get_multiplexed_async_connection_with_config(&config).await.expect("a connection")
    }

    /// Sends a line without a tenant.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        words(line).query(&mut self.admin).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Makes the world's own connection one of a user without a password.
    pub(crate) fn log_in(&mut self, user: &str) {
        let mut connection = self.raw(2);
        let () = redis::cmd("AUTH").arg(user).arg("").query(&mut connection).expect("a login");
        self.admin = connection;
    }

    /// Returns whether the server has the command.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        let described: Vec<Value> =
            redis::cmd("COMMAND").arg("INFO").arg(name).query(&mut self.admin).expect("a reply");
        described != [Value::Nil]
    }

    /// Returns how many commands the server has processed, without those that this method sends.
    pub(crate) fn processed(&mut self) -> u64 {
        let info: String = redis::cmd("INFO").arg("stats").query(&mut self.admin).expect("a reply");
        let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.expect("a count").trim().parse().expect("a number")
    }

    /// Returns how many commands other connections sent since `before`.
    pub(crate) fn sent_since(&mut self, before: u64) -> u64 {
        self.processed() - before - self.own_commands
    }

    /// Returns each key of both databases that is not of tenant A.
    pub(crate) fn outside(&mut self) -> Keys {
        self.keys(|key| !key.starts_with(PREFIX_A.as_bytes()))
    }

    /// Returns each key of tenant A.
    pub(crate) fn own(&mut self) -> Keys {
        self.keys(|key| key.starts_with(PREFIX_A.as_bytes()))
    }

    fn keys(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> Keys {
        let mut all = Keys::new();
        for database in [1, 0] {
            redis::cmd("SELECT").arg(database).exec(&mut self.admin).expect("a database");
            let names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut self.admin).expect("keys");
            let names: Vec<_> = names.into_iter().filter(|name| is_wanted(name)).collect();
            let mut pipeline = redis::pipe();
            for name in &names {
                pipeline.cmd("DUMP").arg(name).cmd("PEXPIRETIME").arg(name);
            }
            // redis-rs refuses a pipeline without commands.
            if names.is_empty() {
                continue;
            }
            let values: Vec<Value> = pipeline.query(&mut self.admin).expect("values");
            for (name, pair) in names.into_iter().zip(values.chunks(2)) {
                let Value::Int(expiry) = pair[1] else { panic!("an expiry: {pair:?}") };
                all.insert((database, name), (pair[0].clone(), expiry));
            }
        }
        all
    }
}

fn client(server: &RedisServer, resp: u8) -> Client {
    Client::open(format!("{}?protocol=resp{resp}", server.url())).expect("a valid URL")
}

/// Returns the command of a line of words. `@` begins a full name of tenant B, and `''` is an empty word.
pub(crate) fn words(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    for word in line.split(' ') {
        match (word, word.strip_prefix('@')) {
            ("''", _) => cmd.arg(""),
            (_, Some(name)) => cmd.arg(format!("{PREFIX_B}{name}")),
            (word, None) => cmd.arg(word),
        };
    }
    cmd
}

/// Returns the command of a line whose keys have no prefix yet, for one of the lines above.
fn prefixed(line: &str, prefix: &str) -> Cmd {
    let mut cmd = Cmd::new();
    let mut words = line.split(' ');
    let name = words.next().expect("a name");
    cmd.arg(name);
    if name == "XGROUP" {
        cmd.arg(words.next());
    }
    for (index, word) in words.enumerate() {
        if index == 0 || (name == "MSET" && index % 2 == 0) {
            cmd.arg(format!("{prefix}{word}"));
        } else {
            cmd.arg(word);
        }
    }
    cmd
}
