//! A program of its own, because the global allocator belongs to the process.
//!
//! Rewriting a command allocates nothing once a command of the same length was rewritten.

use redis::{Cmd, ConnectionLike, RedisResult, Value};
use tenancy::{TenantId, tenant_id};
use tenancy_redis::TenantRedis;
use tenancy_testkit::allocations::{CountingAllocator, count};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TENANT: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");

/// A connection that sends nothing.
struct Nowhere;

impl ConnectionLike for Nowhere {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
        Ok(Vec::new())
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
        let packed = cmd.get_packed_command();
        assert_eq!(count(|| drop(redis.req_packed_command(&packed))), 0, "{line}, packed");
    }
}
