//! One server, or the masters of a cluster.

use std::any::Any;

use redis::aio::ConnectionLike;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};

use super::single;

/// The servers that a connection leads to.
pub(super) enum Nodes<'r, C> {
    Single(single::Nodes<'r, C>),
    Masters { connection: ClusterConnection, addresses: Vec<SingleNodeRoutingInfo> },
}

impl<'r, C: ConnectionLike + Send + 'static> Nodes<'r, C> {
    /// # Errors
    ///
    /// As [`single::Nodes::of`], and where the masters of a cluster don't name one for each slot.
    pub(super) async fn of(connection: &'r mut C) -> RedisResult<Self> {
        let cluster = (connection as &mut (dyn Any + Send)).downcast_ref::<ClusterConnection>().cloned();
        match cluster {
            None => single::Nodes::of(connection).await.map(Self::Single),
            Some(mut connection) => {
                let addresses = masters(&mut connection).await?;
                Ok(Self::Masters { connection, addresses })
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Single(server) => server.len(),
            Self::Masters { addresses, .. } => addresses.len(),
        }
    }

    pub(super) async fn ask(&mut self, node: usize, cmd: Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(server) => server.ask(node, cmd).await,
            Self::Masters { connection, addresses } => {
                connection.route_command(cmd, RoutingInfo::SingleNode(addresses[node].clone())).await
            }
        }
    }

    pub(super) async fn ask_all(&mut self, node: usize, pipeline: Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Self::Single(server) => server.ask_all(node, pipeline).await,
            Self::Masters { connection, addresses } => {
                let number = pipeline.len();
                connection.route_pipeline(pipeline, 0, number, addresses[node].clone()).await
            }
        }
    }
}

/// The addresses of all masters, as these name each other. Those that the connection knows may be fewer: it leaves
/// out, without a word, what it has no connection to, and what came since it last looked.
async fn masters(connection: &mut ClusterConnection) -> RedisResult<Vec<SingleNodeRoutingInfo>> {
    let mut slots = redis::cmd("CLUSTER");
    slots.arg("SLOTS");
    let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let Value::Map(views) = connection.route_command(slots, all).await?.extract_error()? else {
        return Err(slots_unknown());
    };
    let mut addresses = Vec::new();
    for (from, view) in &views {
        for address in named(from, view).ok_or_else(slots_unknown)? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

/// Whom one master names: none, where that is not one for each slot.
fn named(from: &Value, view: &Value) -> Option<Vec<SingleNodeRoutingInfo>> {
    const SLOTS: i64 = 16384;
    let (Value::BulkString(from), Value::Array(ranges)) = (from, view) else { return None };
    let (from, _port) = str::from_utf8(from).ok()?.rsplit_once(':')?;
    let mut left = SLOTS;
    let mut addresses = Vec::new();
    for range in ranges {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &range[..] else { return None };
        left -= i64::from(u16::try_from(*last).ok()?) - i64::from(u16::try_from(*first).ok()?) + 1;
        addresses.push(address(from, master)?);
    }
    (left == 0).then_some(addresses)
}

/// A master that doesn't know its own host is where the answer comes from.
fn address(from: &str, master: &[Value]) -> Option<SingleNodeRoutingInfo> {
    let (host, port) = match master {
        [Value::BulkString(host), Value::Int(port), ..] => (str::from_utf8(host).ok()?, port),
        [Value::Nil, Value::Int(port), ..] => ("", port),
        _ => return None,
    };
    let host = if host.is_empty() { from } else { host };
    Some(SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port: u16::try_from(*port).ok()? })
}

fn slots_unknown() -> RedisError {
    (ErrorKind::ClusterConnectionNotFound, "the cluster does not say which master has each slot").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let node = |host, port| Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(vec![])]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node(host, port), node(bulk("replica"), 6379)])
    }

    fn at(host: &str, port: u16) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port }
    }

    #[test]
    fn a_view_names_the_master_of_each_slot() {
        let view = Value::Array(vec![
            range(0, 99, bulk("10.0.0.1"), 7000),
            range(100, 8191, bulk(""), 7001),
            range(8192, 16383, Value::Nil, 7002),
        ]);
        let expected = [at("10.0.0.1", 7000), at("fe80::1", 7001), at("fe80::1", 7002)];
        assert_eq!(named(&bulk("fe80::1:7001"), &view), Some(expected.to_vec()));
    }

    #[test]
    fn a_view_with_a_gap_or_of_another_shape_names_nobody() {
        let host = || bulk("10.0.0.1");
        for ranges in [
            vec![],
            vec![range(0, 16382, host(), 7000)],
            vec![range(0, 99, host(), 7000), range(101, 16383, host(), 7001)],
            vec![range(0, 16383, host(), 70000)],
            vec![range(i64::MIN, i64::MAX, host(), 7000)],
            vec![range(0, 16383, Value::Int(1), 7000)],
            vec![Value::Array(vec![Value::Int(0), Value::Int(16383)])],
            vec![Value::Okay],
        ] {
            assert_eq!(named(&bulk("10.0.0.1:7000"), &Value::Array(ranges.clone())), None, "{ranges:?}");
        }
        assert_eq!(named(&bulk("10.0.0.1:7000"), &Value::Nil), None);
        assert_eq!(named(&Value::Nil, &Value::Array(vec![range(0, 16383, host(), 7000)])), None);
    }
}
