//! One server, with all keys.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};

use crate::refusal::Refusal;

/// The server that a connection leads to.
pub(super) struct Nodes<'r, C> {
    connection: &'r mut C,
}

impl<'r, C: ConnectionLike + Send> Nodes<'r, C> {
    /// # Errors
    ///
    /// Where it doesn't say that it has all keys: a node of a cluster has a part of them, and what stands before a
    /// cluster answers for all nodes, or for any one.
    pub(super) async fn of(connection: &'r mut C) -> RedisResult<Self> {
        let info = connection.req_packed_command(redis::cmd("INFO").arg("cluster")).await;
        let info = info.and_then(Value::extract_error).map_err(named)?;
        let info: String = redis::from_redis_value(info).map_err(|_| no_single_server())?;
        if info.lines().any(|line| line == "cluster_enabled:0") {
            Ok(Self { connection })
        } else {
            Err(no_single_server())
        }
    }

    #[allow(clippy::unused_self, reason = "a cluster's counts them")]
    pub(super) fn len(&self) -> usize {
        1
    }

    pub(super) async fn ask(&mut self, _: usize, cmd: Cmd) -> RedisResult<Value> {
        self.connection.req_packed_command(&cmd).await
    }

    pub(super) async fn ask_all(&mut self, _: usize, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        self.connection.req_packed_commands(&pipeline, 0, pipeline.len()).await
    }
}

/// Returns a refusal for the error of a Redis user that may not run a command of the walk.
fn named(error: RedisError) -> RedisError {
    if error.code() == Some("NOPERM") { Refusal::NotPermitted.into() } else { error }
}

fn no_single_server() -> RedisError {
    let advice =
        "wrap redis's own cluster_async::ClusterConnection, with the feature `cluster` of tenancy-redis";
    (ErrorKind::InvalidClientConfig, "not a single server, or one that does not say so", advice.to_owned())
        .into()
}
