//! Rewriting allocates nothing, once there was a command as long.
//!
//! A file of its own, because the allocator is the whole process's.

mod common;
#[path = "../../../tests/common/counting.rs"]
mod counting;

use common::{A, command};
use counting::allocations;
use redis::{Cmd, ConnectionLike, RedisResult, Value};
use tenancy_redis::TenantRedis;

/// A connection that neither packs nor sends.
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
fn a_command_in_steady_state() {
    let mut redis = TenantRedis::new(Nowhere, A);
    for line in [
        "GET k",
        "SET k v EX 10",
        "MGET a b c d e f g h",
        "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
        "SORT k BY w_* GET # GET d_* STORE d",
        "XREAD COUNT 1 STREAMS a b 0 0",
    ] {
        let cmd = command(line);
        assert!(allocations(|| drop(redis.req_command(&cmd))) <= 8, "{line}: the first time");
        assert_eq!(allocations(|| drop(redis.req_command(&cmd))), 0, "{line}");
        let packed = cmd.get_packed_command();
        assert_eq!(allocations(|| drop(redis.req_packed_command(&packed))), 0, "{line}, packed");
    }
}
