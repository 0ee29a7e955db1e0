//! The figures `redis2/…`: `cargo xtask bench redis2`.

use std::hint::black_box;

use bench_harness::{Table, peer, subject};
use bench_redis2::{TenantConnection, assert_confines};
use redis2::aio::MultiplexedConnection;
use redis2::{AsyncCommands, Client, Pipeline, RedisResult};
use tenancy::TenantId;
use tenancy_testkit::RedisServer;
use tokio::runtime::Runtime;

const TENANT: TenantId = TenantId::PLATFORM;
/// The prefix of the tenant's keys, for peers that write it by hand.
const PREFIX: &str = "t:00000000000000000000000000000001:";

fn main() {
    assert_confines();
    let table = Table::from_args();
    let server = RedisServer::start().expect("a Redis server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = Client::open(server.url()).expect("a valid URL");
    let connection =
        runtime.block_on(client.get_multiplexed_async_connection()).expect("a connection to the server");
    get(&table, &runtime, &connection);
    pipeline(&table, &runtime, &connection);
}

fn get(table: &Table, runtime: &Runtime, connection: &MultiplexedConnection) {
    let (mut raw, mut by_hand) = (connection.clone(), connection.clone());
    let mut tenant = TenantConnection::new(connection.clone(), TENANT);
    table.row(
        "redis2/get",
        subject(|_| drop(black_box(reply(runtime, tenant.get::<_, Option<Vec<u8>>>("k"))))),
        [
            peer("redis-rs 2.0-rc without a tenant", |_| {
                drop(black_box(reply(runtime, raw.get::<_, Option<Vec<u8>>>("k"))));
            }),
            peer("prefix by `format!`", |_| {
                let key = format!("{PREFIX}{}", black_box("k"));
                drop(black_box(reply(runtime, by_hand.get::<_, Option<Vec<u8>>>(key))));
            }),
        ],
    );
}

fn pipeline(table: &Table, runtime: &Runtime, connection: &MultiplexedConnection) {
    let (mut raw, mut by_hand) = (connection.clone(), connection.clone());
    let mut tenant = TenantConnection::new(connection.clone(), TENANT);
    let of_keys = |key: &dyn Fn(usize) -> String| {
        let mut pipeline = Pipeline::new();
        for number in 0..100 {
            pipeline.get(key(number));
        }
        pipeline
    };
    let plain = |number| format!("k{number}");
    table.row(
        "redis2/pipeline100",
        subject(|_| reply(runtime, of_keys(&plain).exec_async(&mut tenant))),
        [
            peer("redis-rs 2.0-rc without a tenant", |_| {
                reply(runtime, of_keys(&plain).exec_async(&mut raw));
            })
            .target(1.08),
            peer("prefix by `format!`", |_| {
                let prefixed = |number| format!("{PREFIX}k{number}");
                reply(runtime, of_keys(&prefixed).exec_async(&mut by_hand));
            }),
        ],
    );
}

fn reply<T>(runtime: &Runtime, reply: impl Future<Output = RedisResult<T>>) -> T {
    runtime.block_on(reply).expect("a reply")
}
