//! Many tasks of two tenants on one connection, with cancelled calls and lost connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, RedisResult, Value};
use tenancy::TenantId;
use tenancy_redis::{Pooled, TenantRedis};
use tokio::task::JoinSet;

use crate::world::{A, B, World};

const TASKS: usize = 16;

/// Returns the value that this tenant has at each key.
fn value(tenant: TenantId, number: usize) -> String {
    format!("{tenant}-{number}")
}

/// Sends commands of many kinds, of which some are cancelled, and checks each reply.
async fn hammer<C>(connection: C, tenant: TenantId, task: usize, rounds: usize) -> usize
where
    C: redis::aio::ConnectionLike + Clone + Send + Sync,
{
    let mut rng = fastrand::Rng::with_seed(task as u64);
    let mut answered = 0;
    let mut redis = TenantRedis::new(connection, tenant);
    for _ in 0..rounds {
        let number = rng.usize(..20);
        let key = format!("task{number}");
        let mut clone = redis.clone();
        let call = async {
            match rng.u8(..5) {
                0 => clone.set(&key, value(tenant, number)).await,
                1 => clone.get::<_, Option<String>>(&key).await.map(|read| check(read, tenant, number)),
                2 => {
                    let mut pipeline = redis::pipe();
                    pipeline.atomic().get(&key).keys("task*");
                    let (read, keys): (Option<String>, Vec<String>) =
                        pipeline.query_async(&mut clone).await?;
                    assert!(keys.iter().all(|key| key.starts_with("task")), "{keys:?}");
                    check(read, tenant, number);
                    Ok(())
                }
                3 => redis::cmd("FLUSHALL").exec_async(&mut clone).await.map(|()| panic!("not refused")),
                _ => {
                    let read: Vec<Option<String>> = clone.mget(&[&key, &key]).await?;
                    for read in read {
                        check(read, tenant, number);
                    }
                    RedisResult::Ok(())
                }
            }
        };
        // Some calls are dropped after they were sent, others before.
        let patience = Duration::from_micros(if number.is_multiple_of(4) { 50 } else { 30_000_000 });
        if let Ok(Ok(())) = tokio::time::timeout(patience, call).await {
            answered += 1;
        }
        if number == 19 {
            let _: RedisResult<Value> = redis.get(&key).await;
        }
    }
    answered
}

fn check(read: Option<String>, tenant: TenantId, number: usize) {
    if let Some(read) = read {
        assert_eq!(read, value(tenant, number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cancelled_calls_shift_no_reply() {
    let world = World::start();
    for resp in [2, 3] {
        let shared = world.multiplexed(resp).await;
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let tenant = if task % 2 == 0 { A } else { B };
            tasks.spawn(hammer(shared.clone(), tenant, task, 200));
        }
        let answered: usize = tasks.join_all().await.into_iter().sum();
        assert!(answered > TASKS * 50, "{answered} replies");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn lost_connections_shift_no_reply() {
    let world = World::start();
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(Duration::from_secs(30)))
        .set_min_delay(Duration::from_millis(1));
    let shared = ConnectionManager::new_with_config(world.client(3), config).await.expect("a connection");
    let killed = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let tenant = if task % 2 == 0 { A } else { B };
        tasks.spawn(hammer(shared.clone(), tenant, task, 200));
    }
    let mut raw = world.raw(2);
    let counter = Arc::clone(&killed);
    let operator = tokio::task::spawn_blocking(move || {
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(5));
            let count: u64 = redis::cmd("CLIENT")
                .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
                .query(&mut raw)
                .expect("a count");
            counter.fetch_add(count, Ordering::Relaxed);
        }
    });
    let answered: usize = tasks.join_all().await.into_iter().sum();
    operator.await.expect("a thread");
    assert!(answered > 0 && killed.load(Ordering::Relaxed) > 0);
}

/// A borrowed connection is of one tenant at a time, and nothing of the first is left for the second.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn borrowed_connections_serve_tenants_in_turn() {
    let mut world = World::start();
    let before = world.outside();
    for resp in [2, 3] {
        let mut connection = world.multiplexed(resp).await;
        for _ in 0..10 {
            let mut a = TenantRedis::new(Pooled(&mut connection), A);
            let () = a.set("k", "own").await.expect("a reply");
            let abandoned = tokio::time::timeout(Duration::ZERO, a.get::<_, String>("k")).await;
            drop(abandoned);
            let mut b = TenantRedis::new(Pooled(&mut connection), B);
            assert_eq!(b.get::<_, String>("k").await.expect("a reply"), "canary-k");
        }
    }
    assert_eq!(world.outside(), before);
}
