//! The rows of tenancy-redis in the README: `cargo xtask bench redis`.

#[path = "../../../tests/common/redis_server.rs"]
mod redis_server;

use std::hint::black_box;

use bench_harness::{Table, contender, subject};
use bench_redis::Nowhere;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Cmd, ConnectionLike, Pipeline, RedisResult};
use tenancy::TenantId;
use tenancy_redis::TenantRedis;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use redis_server::Server;

const TENANT: TenantId = TenantId::PLATFORM;
/// As long as the tenant's prefix.
const PREFIX: &str = "t:00000000000000000000000000000001:";
const VALUE: [u8; 100] = [b'v'; 100];

fn main() {
    let table = Table::from_args();
    rewriting(&table);
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connection = runtime.block_on(server.client(2).get_multiplexed_async_connection());
    let bench = EndToEnd { table, runtime, connection: connection.expect("a connection") };
    bench.get();
    bench.set();
    bench.pipeline();
    bench.tasks();
}

/// The peer is what redis-rs does to each command anyway: it packs it for the wire.
fn rewriting(table: &Table) {
    let keys: Vec<String> = (0..10).map(|number| format!("user:{number}:name")).collect();
    for (name, cmd) in [
        ("redis: rewriting GET", Cmd::get("user:1234:name")),
        ("redis: rewriting SET", Cmd::set("user:1234:name", &VALUE[..])),
        ("redis: rewriting MGET of 10", Cmd::mget(keys)),
    ] {
        let mut redis = TenantRedis::new(Nowhere, TENANT);
        table.row(
            name,
            subject(|_| drop(black_box(redis.req_command(black_box(&cmd))))),
            [contender("redis-rs's packing", |_| drop(black_box(black_box(&cmd).get_packed_command())))
                .target(0.9)],
        );
    }
}

/// Over a unix socket; the runtime has one thread.
struct EndToEnd {
    table: Table,
    runtime: Runtime,
    connection: MultiplexedConnection,
}

impl EndToEnd {
    fn get(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        self.wait(raw.set::<_, _, ()>(format!("{PREFIX}k"), &VALUE[..]));
        self.table.row(
            "redis: GET, end to end",
            subject(|_| drop(black_box(self.wait(tenant.get::<_, Vec<u8>>("k"))))),
            [
                contender("raw", |_| drop(black_box(self.wait(raw.get::<_, Vec<u8>>("k"))))),
                contender("`format!` of the key", |_| {
                    drop(black_box(
                        self.wait(by_hand.get::<_, Vec<u8>>(format!("{PREFIX}{}", black_box("k")))),
                    ));
                }),
            ],
        );
    }

    fn set(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        self.table.row(
            "redis: SET, end to end",
            subject(|_| self.wait(tenant.set::<_, _, ()>("k", &VALUE[..]))),
            [
                contender("raw", |_| self.wait(raw.set::<_, _, ()>("k", &VALUE[..]))),
                contender("`format!` of the key", |_| {
                    self.wait(by_hand.set::<_, _, ()>(format!("{PREFIX}{}", black_box("k")), &VALUE[..]));
                }),
            ],
        );
    }

    fn pipeline(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        let made = |key: &dyn Fn(usize) -> String| {
            let mut pipeline = Pipeline::with_capacity(100);
            for number in 0..100 {
                pipeline.get(key(number));
            }
            pipeline
        };
        let plain = |number| format!("k{number}");
        self.table.row(
            "redis: pipeline of 100, end to end",
            subject(|_| self.wait(made(&plain).exec_async(&mut tenant))),
            [
                contender("raw", |_| self.wait(made(&plain).exec_async(&mut raw))).target(1.05),
                contender("`format!` of the keys", |_| {
                    let prefixed = |number| format!("{PREFIX}k{number}");
                    self.wait(made(&prefixed).exec_async(&mut by_hand));
                }),
            ],
        );
    }

    /// 32 tasks on one connection, each with a GET.
    fn tasks(&self) {
        let (raw, tenant) = (self.connection.clone(), TenantRedis::new(self.connection.clone(), TENANT));
        self.table.row(
            "redis: GET by 32 tasks, end to end",
            subject(|_| self.all(|| tenant.clone(), |mut redis| async move { redis.get("k").await })),
            [
                contender("raw", |_| {
                    self.all(|| raw.clone(), |mut redis| async move { redis.get("k").await });
                }),
                contender("`format!` of the key", |_| {
                    self.all(
                        || raw.clone(),
                        |mut redis| async move { redis.get(format!("{PREFIX}{}", black_box("k"))).await },
                    );
                }),
            ],
        );
    }

    fn all<C, F: Future<Output = RedisResult<Option<Vec<u8>>>> + Send + 'static>(
        &self,
        connection: impl Fn() -> C,
        ask: impl Fn(C) -> F,
    ) {
        self.runtime.block_on(async {
            let mut tasks: JoinSet<_> = (0..32).map(|_| ask(connection())).collect();
            while let Some(reply) = tasks.join_next().await {
                drop(black_box(reply.expect("no panic").expect("a reply")));
            }
        });
    }

    fn wait<T>(&self, reply: impl Future<Output = RedisResult<T>>) -> T {
        self.runtime.block_on(reply).expect("a reply")
    }
}
