//! The figures `redis/…`: `cargo xtask bench redis`.

use std::hint::black_box;

use bench_harness::{Table, peer, subject};
use bench_redis::Nowhere;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, Cmd, ConnectionLike, Pipeline, RedisResult};
use tenancy::TenantId;
use tenancy_redis::TenantRedis;
use tenancy_testkit::RedisServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const TENANT: TenantId = TenantId::PLATFORM;
/// The prefix of the tenant's keys, for peers that write it by hand.
const PREFIX: &str = "t:00000000000000000000000000000001:";
const VALUE: [u8; 100] = [b'v'; 100];

fn main() {
    let table = Table::from_args();
    rewriting(&table);
    let server = RedisServer::start().expect("a Redis server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = Client::open(server.url()).expect("a valid URL");
    let connection = runtime.block_on(client.get_multiplexed_async_connection());
    let bench = EndToEnd { table, runtime, connection: connection.expect("a connection") };
    bench.fill();
    bench.get();
    bench.set();
    bench.pipeline();
    bench.tasks();
}

/// The peer is what redis-rs does with each command anyway: it packs the command for the wire.
fn rewriting(table: &Table) {
    let keys: Vec<String> = (0..10).map(|number| format!("user:{number}:name")).collect();
    for (name, cmd, target) in [
        ("redis/rewrite/get", Cmd::get("user:1234:name"), 0.75),
        ("redis/rewrite/set", Cmd::set("user:1234:name", &VALUE[..]), 0.70),
        ("redis/rewrite/mget10", Cmd::mget(keys), 0.9),
    ] {
        let mut redis = TenantRedis::new(Nowhere, TENANT);
        table.row(
            name,
            subject(|_| drop(black_box(redis.req_command(black_box(&cmd))))),
            [peer("redis-rs's packing", |_| drop(black_box(black_box(&cmd).get_packed_command())))
                .target(target)],
        );
    }
}

/// Commands over a unix socket. The runtime has one thread.
struct EndToEnd {
    table: Table,
    runtime: Runtime,
    connection: MultiplexedConnection,
}

impl EndToEnd {
    /// Stores the value that each contestant reads.
    fn fill(&self) {
        for key in ["k".to_owned(), format!("{PREFIX}k")] {
            self.reply(self.connection.clone().set::<_, _, ()>(key, &VALUE[..]));
        }
    }

    fn get(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        self.table.row(
            "redis/get",
            subject(|_| drop(black_box(self.reply(tenant.get::<_, Vec<u8>>("k"))))),
            [
                peer("redis-rs without a tenant", |_| {
                    drop(black_box(self.reply(raw.get::<_, Vec<u8>>("k"))));
                }),
                peer("prefix by `format!`", |_| {
                    drop(black_box(
                        self.reply(by_hand.get::<_, Vec<u8>>(format!("{PREFIX}{}", black_box("k")))),
                    ));
                }),
            ],
        );
    }

    fn set(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        self.table.row(
            "redis/set",
            subject(|_| self.reply(tenant.set::<_, _, ()>("k", &VALUE[..]))),
            [
                peer("redis-rs without a tenant", |_| self.reply(raw.set::<_, _, ()>("k", &VALUE[..]))),
                peer("prefix by `format!`", |_| {
                    self.reply(by_hand.set::<_, _, ()>(format!("{PREFIX}{}", black_box("k")), &VALUE[..]));
                }),
            ],
        );
    }

    fn pipeline(&self) {
        let (mut raw, mut by_hand) = (self.connection.clone(), self.connection.clone());
        let mut tenant = TenantRedis::new(self.connection.clone(), TENANT);
        let of_keys = |key: &dyn Fn(usize) -> String| {
            let mut pipeline = Pipeline::with_capacity(100);
            for number in 0..100 {
                pipeline.get(key(number));
            }
            pipeline
        };
        let plain = |number| format!("k{number}");
        self.table.row(
            "redis/pipeline100",
            subject(|_| self.reply(of_keys(&plain).exec_async(&mut tenant))),
            [
                peer("redis-rs without a tenant", |_| self.reply(of_keys(&plain).exec_async(&mut raw)))
                    .target(1.11),
                peer("prefix by `format!`", |_| {
                    let prefixed = |number| format!("{PREFIX}k{number}");
                    self.reply(of_keys(&prefixed).exec_async(&mut by_hand));
                }),
            ],
        );
    }

    /// 32 tasks share one connection. Each of them sends a `GET`.
    fn tasks(&self) {
        let (raw, tenant) = (self.connection.clone(), TenantRedis::new(self.connection.clone(), TENANT));
        self.table.row(
            "redis/tasks32",
            subject(|_| self.by_tasks(|| tenant.clone(), |mut redis| async move { redis.get("k").await })),
            [
                peer("redis-rs without a tenant", |_| {
                    self.by_tasks(|| raw.clone(), |mut redis| async move { redis.get("k").await });
                }),
                peer("prefix by `format!`", |_| {
                    self.by_tasks(
                        || raw.clone(),
                        |mut redis| async move { redis.get(format!("{PREFIX}{}", black_box("k"))).await },
                    );
                }),
            ],
        );
    }

    fn by_tasks<C, F: Future<Output = RedisResult<Option<Vec<u8>>>> + Send + 'static>(
        &self,
        connection: impl Fn() -> C,
        send: impl Fn(C) -> F,
    ) {
        self.runtime.block_on(async {
            let mut tasks: JoinSet<_> = (0..32).map(|_| send(connection())).collect();
            while let Some(reply) = tasks.join_next().await {
                drop(black_box(reply.expect("no panic").expect("a reply")));
            }
        });
    }

    fn reply<T>(&self, reply: impl Future<Output = RedisResult<T>>) -> T {
        self.runtime.block_on(reply).expect("a reply")
    }
}
