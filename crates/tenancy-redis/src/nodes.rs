//! A walk over a tenant's keys: on one server, or on every master of a cluster.

#[cfg(feature = "cluster")]
mod cluster;
mod single;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisResult, Value};

#[cfg(feature = "cluster")]
use self::cluster::Nodes;
#[cfg(not(feature = "cluster"))]
use self::single::Nodes;
use crate::prefix::Prefix;
use crate::refusal::Refusal;
use crate::reply::Reply;

/// How many keys the server looks at for one page: twice as fast as a hundred, and far from keeping others waiting.
const PAGE: usize = 1000;

/// A walk over the keys of a prefix. Those that are there all the while are met, some of them twice.
pub(crate) struct Walk<'r, C> {
    nodes: Nodes<'r, C>,
    prefix: Prefix,
    pattern: Vec<u8>,
    /// Which node is next: beyond the last one, the walk is over.
    node: usize,
    cursor: u64,
}

/// Some keys of one node, without their prefix.
pub(crate) struct Page {
    node: usize,
    pub(crate) names: Vec<Vec<u8>>,
}

impl<'r, C: ConnectionLike + Send + 'static> Walk<'r, C> {
    pub(crate) async fn begin(connection: &'r mut C, prefix: Prefix) -> RedisResult<Self> {
        let pattern = [prefix.as_bytes(), b"*"].concat();
        Ok(Self { nodes: Nodes::of(connection).await?, prefix, pattern, node: 0, cursor: 0 })
    }

    /// How many servers are asked.
    pub(crate) fn masters(&self) -> usize {
        self.nodes.len()
    }

    /// The next keys, which may be none; or the end.
    ///
    /// # Errors
    ///
    /// Those of the connection, and [`Refusal::Reply`] where the server gives a key that is another's.
    pub(crate) async fn next(&mut self) -> RedisResult<Option<Page>> {
        let node = self.node;
        if node == self.nodes.len() {
            return Ok(None);
        }
        let mut scan = redis::cmd("SCAN");
        scan.arg(self.cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(PAGE);
        let mut reply = self.nodes.ask(node, scan).await?.extract_error()?;
        Reply::Scan.strip(&mut reply, &self.prefix)?;
        let (cursor, names) = redis::from_redis_value(reply)?;
        self.cursor = cursor;
        self.node += usize::from(cursor == 0);
        Ok(Some(Page { node, names }))
    }

    /// The replies to a command for each key of a page, from the node that has them.
    ///
    /// One command with all keys would be for one slot of a cluster.
    pub(crate) async fn each(&mut self, command: &[&str], page: &Page) -> RedisResult<Vec<Value>> {
        let number = page.names.len();
        if number == 0 {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(number);
        for name in &page.names {
            let mut cmd = Cmd::new();
            // The prefix is put before it anew: nothing else can be named.
            cmd.arg(command).arg([self.prefix.as_bytes(), name].concat());
            pipeline.add_command(cmd);
        }
        let replies = self.nodes.ask_all(page.node, pipeline).await?;
        if replies.len() != number {
            return Err(Refusal::Reply.into());
        }
        replies.into_iter().map(Value::extract_error).collect()
    }
}
