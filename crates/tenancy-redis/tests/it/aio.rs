//! Async connections that several tenants share.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncCommands, RedisResult};
use tenancy::TenantId;
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::support::{A, B, Server, command};

async fn multiplexed(server: &Server, resp: u8) -> MultiplexedConnection {
    crate::support::aio::multiplexed(&server.client(resp)).await.expect("a connection")
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn tenants_share_a_socket_for_commands_scans_and_transactions() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let shared = multiplexed(&server, resp).await;
        let (mut a, mut b) = (TenantRedis::new(shared.clone(), A), TenantRedis::new(shared, B));
        for number in 0..100 {
            let () = a.set(format!("a{number}"), number).await?;
            let () = b.set(format!("b{number}"), number).await?;
        }
        assert_eq!(a.get::<_, Option<u8>>("b1").await?, None);
        let scanned: Vec<_> = a.scan_match::<_, String>("a*").await?.collect().await;
        assert_eq!(scanned.len(), 100);
        assert!(scanned.iter().flatten().all(|key| key.starts_with('a')));
        for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
            let (got, keys): (u8, Vec<String>) =
                pipeline.set("a1", 7).ignore().get("a1").keys("a1").query_async(&mut a).await?;
            assert_eq!((got, keys), (7, vec!["a1".to_owned()]));
        }
        assert_eq!(b.get::<_, u8>("b1").await?, 1);
        let () = command("XADD x 1-1 f v").query_async(&mut a).await?;
        let read: redis::streams::StreamReadReply = command("XREAD STREAMS x 0").query_async(&mut a).await?;
        assert_eq!(read.keys[0].key, "x");
        let () = a.del("x").await?;
    }
    Ok(())
}

/// On a raw connection, one tenant's MULTI would queue the other tenant's GET, and EXEC would return its value.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn shared_connection_refuses_transaction_state() -> RedisResult<()> {
    let server = Server::start();
    let shared = multiplexed(&server, 2).await;
    let (mut a, mut b) = (TenantRedis::new(shared.clone(), A), TenantRedis::new(shared, B));
    let () = b.set("k", "b").await?;
    let error = redis::cmd("MULTI").exec_async(&mut a).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState));
    assert_eq!(b.get::<_, String>("k").await?, "b");
    let error = redis::cmd("WATCH").arg("k").exec_async(&mut a.clone()).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState));
    let alone = TenantRedis::dedicated(multiplexed(&server, 2).await, A);
    redis::cmd("WATCH").arg("k").exec_async(&mut alone.clone()).await?;
    let error = redis::pipe().get("k").cmd("EXEC").exec_async(&mut a).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState));
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn refuses_counts_that_would_shift_replies() -> RedisResult<()> {
    let server = Server::start();
    let mut a = TenantRedis::new(multiplexed(&server, 2).await, A);
    let mut pipeline = redis::pipe();
    pipeline.get("a").get("b");
    for (atomic, counts) in
        [(false, [(0, 1), (1, 1), (3, 1), (0, 3)]), (true, [(0, 2), (2, 1), (3, 2), (4, 1)])]
    {
        if atomic {
            pipeline.atomic();
        }
        for (offset, count) in counts {
            let error = a.req_packed_commands(&pipeline, offset, count).await.unwrap_err();
            assert_eq!(refusal(&error), Some(Refusal::BadArguments), "{offset} {count}");
        }
    }
    let mut silent = redis::cmd("GET");
    silent.arg("k").set_no_response(true);
    let error = silent.exec_async(&mut a).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState));
    Ok(())
}

/// Sixteen tasks share clones of one connection and drop calls in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn concurrent_and_dropped_calls_receive_their_own_replies() -> RedisResult<()> {
    let server = Server::start();
    let shared = crate::support::aio::managed(server.client(3)).await?;
    let tasks: Vec<_> = (1..=16_u8)
        .map(|number| {
            let tenant = TenantId::from_bytes([number; 16]).expect("an id");
            let mut redis = TenantRedis::new(shared.clone(), tenant).clone();
            tokio::spawn(async move {
                for round in 0..200_u32 {
                    let value = format!("{number}-{round}");
                    let () = redis.set("k", &value).await?;
                    // The call is dropped before, during or after its way to the server.
                    let limit = Duration::from_micros(u64::from(round % 20) * 10);
                    let _ = tokio::time::timeout(limit, redis.keys::<_, Vec<String>>("*")).await;
                    assert_eq!(redis.get::<_, String>("k").await?, value);
                    assert_eq!(redis.keys::<_, Vec<String>>("*").await?, ["k"]);
                }
                RedisResult::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic")?;
    }
    assert_eq!(server.keys().len(), 16);
    Ok(())
}

#[test]
fn debug_shows_only_the_tenant() {
    let redis = TenantRedis::new("redis://:password@host", A);
    let expected = "TenantRedis { tenant: TenantId('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a'), .. }";
    assert_eq!(format!("{redis:?}"), expected);
}
