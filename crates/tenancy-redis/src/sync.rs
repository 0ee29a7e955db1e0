//! `redis::ConnectionLike`.

use redis::{Cmd, ConnectionLike, RedisResult, Value};

use crate::arguments::simple;
use crate::client::TenantRedis;
use crate::errors::strip;
use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::refused::RefusedCommand;
use crate::reply::{Reply, strip_pipeline};
use crate::rewrite::{rewrite, rewrite_arguments};
use crate::scope::TenantScope;
use crate::writer::Buffer;

impl<C: ConnectionLike> ConnectionLike for TenantRedis<C> {
    fn req_packed_command(&mut self, packed: &[u8]) -> RedisResult<Value> {
        let Self { connection, scope, buffer } = self;
        let command = Packed::only(packed)?;
        let reply = rewrite_arguments(command.clone(), scope, buffer)
            .map_err(|refusal| RefusedCommand::new(refusal, command, None))?;
        let value = connection.req_command(&buffer.cmd);
        buffer.release();
        let mut value = value.map_err(|error| strip(error, &scope.prefix))?;
        reply.strip(&mut value, &scope.prefix)?;
        Ok(value)
    }

    fn req_packed_commands(&mut self, packed: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let Self { connection, scope, buffer } = self;
        let transaction = offset != 0;
        let (sent, replies) = if transaction {
            rewrite_transaction(packed, (offset, count), scope, buffer)?
        } else {
            rewrite_pipeline(packed, count, scope, buffer)?
        };
        let mut values = connection
            .req_packed_commands(&sent, offset, count)
            .map_err(|error| strip(error, &scope.prefix))?;
        strip_pipeline(&replies, transaction, &mut values, &scope.prefix)?;
        Ok(values)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let Self { connection, scope, buffer } = self;
        let reply =
            rewrite(cmd, scope, buffer).map_err(|refusal| RefusedCommand::new(refusal, simple(cmd), None))?;
        let value = connection.req_command(&buffer.cmd);
        buffer.release();
        let mut value = value.map_err(|error| strip(error, &scope.prefix))?;
        reply.strip(&mut value, &scope.prefix)?;
        Ok(value)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }

    fn supports_pipelining(&self) -> bool {
        self.connection.supports_pipelining()
    }

    fn check_connection(&mut self) -> bool {
        self.connection.check_connection()
    }

    fn is_open(&self) -> bool {
        self.connection.is_open()
    }
}

type Rewritten = (Vec<u8>, Vec<Reply>);

/// All of it or nothing. A wrong count would leave replies for the next command.
fn rewrite_pipeline(
    mut packed: &[u8],
    count: usize,
    scope: &TenantScope,
    buffer: &mut Buffer,
) -> RedisResult<Rewritten> {
    let (mut sent, mut replies) = (Vec::new(), Vec::new());
    while !packed.is_empty() {
        let (command, rest) = Packed::first(packed)?;
        let reply = rewrite_arguments(command.clone(), scope, buffer)
            .map_err(|refusal| RefusedCommand::new(refusal, command, Some(replies.len())))?;
        replies.push(reply);
        buffer.cmd.write_packed_command(&mut sent);
        buffer.release();
        packed = rest;
    }
    if replies.len() == count { Ok((sent, replies)) } else { Err(Refusal::BadArguments.into()) }
}

/// The same between MULTI and EXEC.
fn rewrite_transaction(
    packed: &[u8],
    (offset, count): (usize, usize),
    scope: &TenantScope,
    buffer: &mut Buffer,
) -> RedisResult<Rewritten> {
    let (multi, exec) = (redis::cmd("MULTI").get_packed_command(), redis::cmd("EXEC").get_packed_command());
    let commands = packed.strip_prefix(&multi[..]).and_then(|rest| rest.strip_suffix(&exec[..]));
    let (commands, 1) = (commands.ok_or(Refusal::BadArguments)?, count) else {
        return Err(Refusal::BadArguments.into());
    };
    let (inner, replies) = rewrite_pipeline(commands, offset.saturating_sub(1), scope, buffer)?;
    Ok(([multi, inner, exec].concat(), replies))
}
