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
use crate::writer::PackedBuffer;

impl<C: ConnectionLike> TenantRedis<C> {
    /// Sends the command that was written, or returns the refusal.
    fn send(
        &mut self,
        reply: Result<Reply, Refusal>,
        refused: impl FnOnce(Refusal) -> RefusedCommand,
    ) -> RedisResult<Value> {
        let Self { connection, scope, packed, .. } = self;
        let sent = match &reply {
            Ok(_) => Ok(connection.req_packed_command(packed.as_bytes())),
            Err(refusal) => Err(refused(*refusal)),
        };
        packed.release();
        let mut value = sent?.map_err(|error| strip(error, &scope.prefix))?;
        reply?.strip(&mut value, &scope.prefix)?;
        Ok(value)
    }
}

impl<C: ConnectionLike> ConnectionLike for TenantRedis<C> {
    fn req_packed_command(&mut self, packed: &[u8]) -> RedisResult<Value> {
        let command = Packed::only(packed)?;
        self.packed.clear(packed.len());
        let reply = rewrite_arguments(command.clone(), &self.scope, &mut self.packed);
        self.send(reply, |refusal| RefusedCommand::new(refusal, command, None))
    }

    fn req_packed_commands(&mut self, packed: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let Self { connection, scope, packed: sent, .. } = self;
        let transaction = offset != 0;
        sent.clear(packed.len());
        let rewritten = if transaction {
            rewrite_transaction(packed, (offset, count), scope, sent)
        } else {
            rewrite_pipeline(packed, count, scope, sent)
        };
        let values = rewritten
            .map(|replies| (connection.req_packed_commands(sent.as_bytes(), offset, count), replies));
        sent.release();
        let (values, replies) = values?;
        let mut values = values.map_err(|error| strip(error, &scope.prefix))?;
        strip_pipeline(&replies, transaction, &mut values, &scope.prefix)?;
        Ok(values)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        self.packed.clear(0);
        let reply = rewrite(cmd, &self.scope, &mut self.packed);
        self.send(reply, |refusal| RefusedCommand::new(refusal, simple(cmd), None))
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

/// All of it or nothing. A wrong count would leave replies for the next command.
fn rewrite_pipeline(
    mut packed: &[u8],
    count: usize,
    scope: &TenantScope,
    sent: &mut PackedBuffer,
) -> RedisResult<Vec<Reply>> {
    // The caller's count is checked below. A shorter command than this has no name.
    const SHORTEST: usize = b"*1\r\n$1\r\nx\r\n".len();
    let mut replies = Vec::with_capacity(count.min(packed.len() / SHORTEST));
    while !packed.is_empty() {
        let (command, rest) = Packed::first(packed)?;
        let reply = rewrite_arguments(command.clone(), scope, sent)
            .map_err(|refusal| RefusedCommand::new(refusal, command, Some(replies.len())))?;
        replies.push(reply);
        packed = rest;
    }
    if replies.len() == count { Ok(replies) } else { Err(Refusal::BadArguments.into()) }
}

/// The same between MULTI and EXEC.
fn rewrite_transaction(
    packed: &[u8],
    (offset, count): (usize, usize),
    scope: &TenantScope,
    sent: &mut PackedBuffer,
) -> RedisResult<Vec<Reply>> {
    const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
    const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
    let commands = packed.strip_prefix(MULTI).and_then(|rest| rest.strip_suffix(EXEC));
    let (commands, 1) = (commands.ok_or(Refusal::BadArguments)?, count) else {
        return Err(Refusal::BadArguments.into());
    };
    sent.raw(MULTI);
    let replies = rewrite_pipeline(commands, offset.saturating_sub(1), scope, sent)?;
    sent.raw(EXEC);
    Ok(replies)
}
