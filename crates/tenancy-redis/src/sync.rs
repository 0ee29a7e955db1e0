//! `redis::ConnectionLike`.

use redis::{Cmd, ConnectionLike, RedisResult, Value};

use crate::client::TenantRedis;
use crate::confines::Confines;
use crate::errors::strip;
use crate::packed::Packed;
use crate::refusal::Refusal;
use crate::reply::{Reply, strip_pipeline};
use crate::rewrite::{Scratch, rewrite, rewrite_arguments};

impl<C: ConnectionLike> ConnectionLike for TenantRedis<C> {
    fn req_packed_command(&mut self, packed: &[u8]) -> RedisResult<Value> {
        let Self { connection, confines, scratch } = self;
        let reply = rewrite_arguments(Packed::only(packed)?, confines, scratch)?;
        let mut value =
            connection.req_command(&scratch.cmd).map_err(|error| strip(error, &confines.prefix))?;
        reply.strip(&mut value, &confines.prefix)?;
        Ok(value)
    }

    fn req_packed_commands(&mut self, packed: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let Self { connection, confines, scratch } = self;
        let transaction = offset != 0;
        let (sent, replies) = if transaction {
            rewrite_transaction(packed, (offset, count), confines, scratch)?
        } else {
            rewrite_pipeline(packed, count, confines, scratch)?
        };
        let mut values = connection
            .req_packed_commands(&sent, offset, count)
            .map_err(|error| strip(error, &confines.prefix))?;
        strip_pipeline(&replies, transaction, &mut values, &confines.prefix)?;
        Ok(values)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let Self { connection, confines, scratch } = self;
        let reply = rewrite(cmd, confines, scratch)?;
        let mut value =
            connection.req_command(&scratch.cmd).map_err(|error| strip(error, &confines.prefix))?;
        reply.strip(&mut value, &confines.prefix)?;
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
    confines: &Confines,
    scratch: &mut Scratch,
) -> Result<Rewritten, Refusal> {
    let (mut sent, mut replies) = (Vec::new(), Vec::new());
    while !packed.is_empty() {
        let (command, rest) = Packed::first(packed)?;
        replies.push(rewrite_arguments(command, confines, scratch)?);
        scratch.cmd.write_packed_command(&mut sent);
        packed = rest;
    }
    if replies.len() == count { Ok((sent, replies)) } else { Err(Refusal::BadArguments) }
}

/// The same between MULTI and EXEC.
fn rewrite_transaction(
    packed: &[u8],
    (offset, count): (usize, usize),
    confines: &Confines,
    scratch: &mut Scratch,
) -> Result<Rewritten, Refusal> {
    let (multi, exec) = (redis::cmd("MULTI").get_packed_command(), redis::cmd("EXEC").get_packed_command());
    let commands = packed.strip_prefix(&multi[..]).and_then(|rest| rest.strip_suffix(&exec[..]));
    let (commands, 1) = (commands.ok_or(Refusal::BadArguments)?, count) else {
        return Err(Refusal::BadArguments);
    };
    let (inner, replies) = rewrite_pipeline(commands, offset.saturating_sub(1), confines, scratch)?;
    Ok(([multi, inner, exec].concat(), replies))
}
