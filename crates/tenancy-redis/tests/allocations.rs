//! A program of its own, because the global allocator belongs to the process.
//!
//! Rewriting a command allocates nothing once a command of the same length was rewritten, and a handle does not keep
//! the memory of a large command.

use redis::{Cmd, ConnectionLike, RedisResult, Value};
use tenancy::{TenantId, tenant_id};
use tenancy_redis::TenantRedis;
use tenancy_testkit::allocations::{CountingAllocator, count, held};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TENANT: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");

/// A connection that sends nothing.
#[derive(Clone)]
struct Nowhere;

impl ConnectionLike for Nowhere {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn req_packed_commands(&mut self, _: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        Ok(vec![if offset == 0 { Value::Okay } else { Value::Nil }; count])
    }

    fn req_command(&mut self, _: &Cmd) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }
}

#[test]
fn rewriting_allocates_only_the_first_time() {
    assert_eq!(count(|| drop(Box::new(7))), 1, "the allocator counts");
    let mut redis = TenantRedis::new(Nowhere, TENANT);
    for line in [
        "GET k",
        "SET k v EX 10",
        "MGET a b c d e f g h",
        "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
        "SORT k BY w_* GET # GET d_* STORE d",
        "XREAD COUNT 1 STREAMS a b 0 0",
    ] {
        let mut cmd = Cmd::new();
        cmd.arg(line.split(' ').collect::<Vec<_>>());
        assert!(count(|| drop(redis.req_command(&cmd))) <= 8, "{line}: the first time");
        assert_eq!(count(|| drop(redis.req_command(&cmd))), 0, "{line}");
        let often = count(|| (0..5000).for_each(|_| drop(redis.req_command(&cmd))));
        assert_eq!(often, 0, "{line}: small commands do not add up to a large one");
        let packed = cmd.get_packed_command();
        assert_eq!(count(|| drop(redis.req_packed_command(&packed))), 0, "{line}, packed");
    }
}

/// Asserts that a sync pipeline of 100 commands allocates only the list of its replies' kinds, and the connection the
/// replies: the commands are written into one buffer, which the handle keeps.
#[test]
fn sync_pipeline_is_written_into_one_buffer() {
    let mut redis = TenantRedis::new(Nowhere, TENANT);
    let mut pipeline = redis::pipe();
    (0..100).for_each(|number| _ = pipeline.get(format!("k{number}")));
    let packed = pipeline.get_packed_pipeline();
    drop(redis.req_packed_commands(&packed, 0, 100));
    assert_eq!(count(|| drop(redis.req_packed_commands(&packed, 0, 100))), 2);
    let packed = pipeline.atomic().get_packed_pipeline();
    assert_eq!(count(|| drop(redis.req_packed_commands(&packed, 101, 1))), 2, "a transaction");
}

#[test]
fn clone_allocates_nothing_itself() {
    let mut redis = TenantRedis::new(Nowhere, TENANT);
    drop(redis.req_command(redis::cmd("GET").arg("k")));
    assert_eq!(count(|| drop(redis.clone())), 0);
    assert_eq!(held(|| drop(redis.clone())), 0);
}

/// Asserts that a command of 64 MiB leaves less than 256 KiB, whether it is sent, refused, or part of a pipeline.
#[test]
fn handle_releases_the_memory_of_a_large_command() {
    const KEPT: isize = 256 * 1024;
    let large = vec![7_u8; 64 << 20];
    let mut set = redis::cmd("SET");
    set.arg("k").arg(&large);
    let mut get = redis::cmd("GET");
    get.arg(&large);
    let mut many = redis::cmd("DEL");
    many.arg(vec![""; 1 << 18]);
    let mut refused = redis::cmd("SORT");
    refused.arg(&large).arg("nosuch");
    let packed = set.get_packed_command();
    let pipeline = [&packed[..], &packed].concat();
    let mut redis = TenantRedis::new(Nowhere, TENANT);
    for (name, cmd) in [("SET", &set), ("GET", &get), ("DEL", &many), ("SORT", &refused)] {
        assert!(held(|| drop(redis.req_command(cmd))) < KEPT, "{name}");
    }
    assert!(held(|| drop(redis.req_packed_command(&packed))) < KEPT, "packed");
    assert!(held(|| drop(redis.req_packed_commands(&pipeline, 0, 2))) < KEPT, "a pipeline");
}

#[cfg(feature = "tokio")]
mod aio {
    use std::task::{Context, Waker};

    use redis::aio::ConnectionLike;
    use redis::{Pipeline, RedisFuture};

    use super::*;

    impl ConnectionLike for Nowhere {
        fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
            Box::pin(async { Ok(Value::Nil) })
        }

        fn req_packed_commands<'a>(
            &'a mut self,
            pipeline: &'a Pipeline,
            _: usize,
            _: usize,
        ) -> RedisFuture<'a, Vec<Value>> {
            Box::pin(async { Ok(vec![Value::Nil; pipeline.len()]) })
        }

        fn get_db(&self) -> i64 {
            0
        }
    }

    /// Asserts that an async command allocates nothing but the future of the connection.
    #[test]
    fn async_command_allocates_only_its_future() {
        let mut redis = TenantRedis::new(Nowhere, TENANT);
        let mut set = redis::cmd("SET");
        set.arg("k").arg("v").arg("EX").arg(10);
        drop(ConnectionLike::req_packed_command(&mut redis, &set));
        assert_eq!(count(|| drop(ConnectionLike::req_packed_command(&mut redis, &set))), 1);
    }

    /// Asserts that an async pipeline allocates the two parts of each command once, in their size.
    ///
    /// redis 1.x sends a `Pipeline`, which owns its commands and does not return them.
    #[test]
    fn async_pipeline_allocates_each_command_once() {
        /// The future, the list of commands, the list of their replies' kinds, and the buffer of a key.
        const FIXED: usize = 4;
        let mut redis = TenantRedis::new(Nowhere, TENANT);
        for commands in [1, 10, 100] {
            let mut pipeline = redis::pipe();
            (0..commands).for_each(|number| _ = pipeline.get(format!("k{number}")).mget(&["a", "b", "c"]));
            let send = |redis: &mut TenantRedis<Nowhere>| {
                drop(ConnectionLike::req_packed_commands(redis, &pipeline, 0, 2 * commands));
            };
            assert_eq!(count(|| send(&mut redis)), FIXED + 4 * commands);
        }
    }

    /// A future that is dropped before it ends releases the memory as well.
    #[test]
    fn async_handle_releases_the_memory_of_a_large_command() {
        const KEPT: isize = 256 * 1024;
        let mut set = redis::cmd("SET");
        set.arg("k").arg(vec![7_u8; 64 << 20]);
        let mut pipeline = redis::pipe();
        pipeline.add_command(set.clone()).add_command(set.clone());
        let mut redis = TenantRedis::new(Nowhere, TENANT);
        let mut context = Context::from_waker(Waker::noop());
        let mut after = |is_polled: bool| {
            held(|| {
                let mut future = ConnectionLike::req_packed_command(&mut redis, &set);
                assert!(!is_polled || future.as_mut().poll(&mut context).is_ready());
            })
        };
        assert!(after(true) < KEPT);
        assert!(after(false) < KEPT, "dropped");
        let piped = held(|| {
            let mut future = ConnectionLike::req_packed_commands(&mut redis, &pipeline, 0, 2);
            assert!(future.as_mut().poll(&mut context).is_ready());
        });
        assert!(piped < KEPT, "a pipeline");
    }
}
