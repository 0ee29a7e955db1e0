//! `redis::aio::ConnectionLike`.

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, Value};

use crate::client::TenantRedis;
use crate::confines::Confines;
use crate::errors::strip;
use crate::refusal::Refusal;
use crate::reply::{Reply, strip_pipeline};
use crate::rewrite::{Scratch, rewrite, simple};

impl<C: ConnectionLike + Send> ConnectionLike for TenantRedis<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let Self { connection, confines, scratch } = self;
        match rewrite(cmd, confines, scratch) {
            Err(refusal) => Box::pin(async move { Err(refusal.into()) }),
            Ok(Reply::Plain) if !names_keys_in_errors(&scratch.cmd) => {
                connection.req_packed_command(&scratch.cmd)
            }
            Ok(reply) => Box::pin(async move {
                let value = connection.req_packed_command(&scratch.cmd).await;
                let mut value = value.map_err(|error| strip(error, &confines.prefix))?;
                reply.strip(&mut value, &confines.prefix)?;
                Ok(value)
            }),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { connection, confines, scratch } = self;
        let rewritten = rewrite_pipeline(pipeline, (offset, count), confines, scratch);
        Box::pin(async move {
            let (sent, replies) = rewritten?;
            let values = connection.req_packed_commands(&sent, offset, count).await;
            let mut values = values.map_err(|error| strip(error, &confines.prefix))?;
            strip_pipeline(&replies, sent.is_transaction(), &mut values, &confines.prefix)?;
            Ok(values)
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Commands of streams, and scripts. The others are spared a future around the connection's own.
fn names_keys_in_errors(cmd: &Cmd) -> bool {
    let name = simple(cmd).next().unwrap_or_default();
    matches!(name, [b'x' | b'X', ..] | [b'e' | b'E', b'v' | b'V', ..])
}

/// All of it or nothing.
fn rewrite_pipeline(
    pipeline: &Pipeline,
    awaited: (usize, usize),
    confines: &Confines,
    scratch: &mut Scratch,
) -> Result<(Pipeline, Vec<Reply>), Refusal> {
    let length = pipeline.len();
    // Other numbers would shift replies to whoever is next on a shared connection.
    if awaited != if pipeline.is_transaction() { (length + 1, 1) } else { (0, length) } {
        return Err(Refusal::BadArguments);
    }
    let mut sent = Pipeline::with_capacity(length);
    if pipeline.is_transaction() {
        sent.atomic();
    }
    let mut replies = Vec::with_capacity(length);
    for cmd in pipeline.cmd_iter() {
        let bytes = simple(cmd).map(<[u8]>::len).sum::<usize>() + confines.prefix.as_bytes().len();
        scratch.cmd = Cmd::with_capacity(cmd.args_iter().len(), bytes);
        replies.push(rewrite(cmd, confines, scratch)?);
        sent.add_command(scratch.cmd.take());
    }
    Ok((sent, replies))
}
