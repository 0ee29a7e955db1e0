//! `redis::aio::ConnectionLike`.

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};

use crate::arguments::simple;
use crate::client::TenantRedis;
use crate::errors::strip;
use crate::refusal::Refusal;
use crate::refused::RefusedCommand;
use crate::reply::{Reply, strip_pipeline};
use crate::rewrite::rewrite;
use crate::scope::TenantScope;
use crate::writer::PipelineBuffer;

impl<C: ConnectionLike + Send> ConnectionLike for TenantRedis<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let Self { connection, scope, cmd: buffer, .. } = self;
        match rewrite(cmd, scope, buffer) {
            Err(refusal) => {
                buffer.release();
                let refused = RefusedCommand::new(refusal, simple(cmd), None);
                Box::pin(async move { Err(refused.into()) })
            }
            Ok(reply) => {
                // The future owns a large command, so that the handle does not keep its memory.
                let large = buffer.take_large();
                let is_plain = reply == Reply::Plain && large.is_none();
                if is_plain && !names_keys_in_errors(&buffer.cmd) {
                    return connection.req_packed_command(&buffer.cmd);
                }
                Box::pin(async move {
                    let value = connection.req_packed_command(large.as_ref().unwrap_or(&buffer.cmd)).await;
                    drop(large);
                    let mut value = value.map_err(|error| strip(error, &scope.prefix))?;
                    reply.strip(&mut value, &scope.prefix)?;
                    Ok(value)
                })
            }
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { connection, scope, .. } = self;
        let rewritten = rewrite_pipeline(pipeline, (offset, count), scope);
        Box::pin(async move {
            let (sent, replies) = rewritten?;
            let values = connection.req_packed_commands(&sent, offset, count).await;
            let mut values = values.map_err(|error| strip(error, &scope.prefix))?;
            strip_pipeline(&replies, sent.is_transaction(), &mut values, &scope.prefix)?;
            Ok(values)
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Returns whether the command is about a stream, or runs a script. Their errors contain keys, so that the errors of
/// other commands need no second future.
fn names_keys_in_errors(cmd: &Cmd) -> bool {
    let name = simple(cmd).next().unwrap_or_default();
    matches!(name, [b'x' | b'X', ..] | [b'e' | b'E', b'v' | b'V', ..])
}

/// Returns the commands to send. If one of them is refused, none is sent.
fn rewrite_pipeline(
    pipeline: &Pipeline,
    awaited: (usize, usize),
    scope: &TenantScope,
) -> RedisResult<(Pipeline, Vec<Reply>)> {
    let length = pipeline.len();
    // Other numbers would shift replies to whoever is next on a shared connection.
    if awaited != if pipeline.is_transaction() { (length + 1, 1) } else { (0, length) } {
        return Err(Refusal::BadArguments.into());
    }
    let mut sent = PipelineBuffer::with_capacity(length);
    if pipeline.is_transaction() {
        sent.pipeline.atomic();
    }
    let mut replies = Vec::with_capacity(length);
    for (index, cmd) in pipeline.cmd_iter().enumerate() {
        let reply = rewrite(cmd, scope, &mut sent);
        replies.push(reply.map_err(|refusal| RefusedCommand::new(refusal, simple(cmd), Some(index)))?);
    }
    Ok((sent.pipeline, replies))
}
