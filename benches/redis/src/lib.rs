//! A connection without a server, for the benchmarks of tenancy-redis.

use redis::{Cmd, ConnectionLike, RedisResult, Value};

/// A connection that discards every command without packing it.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl ConnectionLike for Nowhere {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        Ok(Value::Nil)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, count: usize) -> RedisResult<Vec<Value>> {
        Ok(vec![Value::Nil; count])
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
