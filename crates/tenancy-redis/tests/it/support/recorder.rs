//! A connection that records commands.

use redis::{ConnectionLike, RedisResult, Value};

/// A connection that keeps the last command.
#[derive(Default)]
pub(crate) struct Recorder(Vec<u8>);

impl ConnectionLike for Recorder {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        self.0 = cmd.to_vec();
        Ok(Value::Nil)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
        Ok(Vec::new())
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

impl Recorder {
    /// Returns the words of the last command, or `None` if there was none.
    pub(crate) fn words(&self) -> Option<Vec<String>> {
        if self.0.is_empty() {
            return None;
        }
        let value = redis::parse_redis_value(&self.0).expect("a packed command");
        Some(redis::from_redis_value(value).expect("words"))
    }
}
