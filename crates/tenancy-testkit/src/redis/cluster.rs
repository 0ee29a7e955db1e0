use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

use super::{is_answering, program, spawn};
use crate::Error;
use crate::process::{ChildGroup, unused_ports, wait_until};
use crate::start::temporary_folder;

/// How long the nodes may take to agree on their slots.
const AGREEMENT: Duration = Duration::from_secs(60);

/// The slots of a cluster, in three equal parts.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// A Redis cluster of the test's own: three masters without replicas on 127.0.0.1.
///
/// ```no_run
/// use tenancy_testkit::RedisCluster;
///
/// let cluster = RedisCluster::start()?;
/// for node in cluster.nodes() {
///     println!("{}", node.url()); // redis://127.0.0.1:…
/// }
/// # Ok::<(), tenancy_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct RedisCluster {
    // Dropped before the folder.
    nodes: Vec<ClusterNode>,
    folder: TempDir,
}

/// A master of a [`RedisCluster`].
#[derive(Debug)]
pub struct ClusterNode {
    child: ChildGroup,
    port: u16,
    bus: u16,
}

impl RedisCluster {
    /// Starts three masters and waits until each of them has its slots and all agree.
    ///
    /// # Errors
    ///
    /// If `redis-server` is not installed, or the cluster is not ready within a minute.
    pub fn start() -> Result<Self, Error> {
        let mut cluster = Self { nodes: Vec::new(), folder: temporary_folder("tenancy-redis-cluster-")? };
        for (first, last) in SLOTS {
            let node = cluster.add()?;
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
        }
        cluster.wait_for_agreement()?;
        Ok(cluster)
    }

    /// Returns the masters.
    pub fn nodes(&self) -> &[ClusterNode] {
        &self.nodes
    }

    /// Adds a master and moves one slot to it, which must not contain keys. Existing clients do not know the new
    /// master until a node redirects them.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn add_node_with_slot(&mut self, slot: u16) -> Result<(), Error> {
        self.add()?;
        let count = self.nodes.len();
        wait("introduce the new node", || {
            self.nodes.iter().all(|node| node.reports("cluster_known_nodes", count))
        })?;
        // The new node first: the others' claim to the slot then never wins over its own.
        let [.., new] = &self.nodes[..] else { unreachable!("a node was added") };
        let id: String = new.ask(&["CLUSTER", "MYID"])?;
        for node in self.nodes.iter().rev() {
            node.ask::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id])?;
        }
        self.wait_for_agreement()
    }

    /// Starts a node and introduces it to the first one.
    fn add(&mut self) -> Result<&ClusterNode, Error> {
        let number = self.nodes.len();
        let node = ClusterNode::start(&self.folder.path().join(number.to_string()))?;
        node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()])?;
        if let Some(first) = self.nodes.first() {
            let (port, bus) = (node.port.to_string(), node.bus.to_string());
            first.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        self.nodes.push(node);
        Ok(&self.nodes[number])
    }

    fn wait_for_agreement(&self) -> Result<(), Error> {
        let count = self.nodes.len();
        wait("form a cluster", || {
            self.nodes.iter().all(|node| node.is_ok() && node.reports("cluster_size", count))
        })
    }
}

fn wait(action: &str, condition: impl FnMut() -> bool) -> Result<(), Error> {
    wait_until(AGREEMENT, condition).then_some(()).ok_or_else(|| Error::timed_out(action, AGREEMENT))
}

impl ClusterNode {
    fn start(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("create a node's folder"))?;
        // Another process can take a free port before the node does.
        for _ in 0..5 {
            if let Some(node) = Self::try_start(folder)? {
                return Ok(node);
            }
        }
        Err(Error::ended("redis-server", &folder.join("log")))
    }

    /// Returns `None` if the node ended during its start.
    fn try_start(folder: &Path) -> Result<Option<Self>, Error> {
        let [port, bus] = unused_ports().map_err(Error::io("find free ports"))?;
        let (port_text, bus_text) = (port.to_string(), bus.to_string());
        let arguments = ["--port", &port_text, "--cluster-port", &bus_text, "--bind", "127.0.0.1"];
        let arguments = [&arguments[..], &["--cluster-enabled", "yes"]].concat();
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        let mut child = spawn(&program()?, folder, &arguments)?;
        // Another server could answer on the port; the socket is the node's own.
        let is_running = is_answering(&mut child, folder)?;
        Ok(is_running.then_some(Self { child, port, bus }))
    }

    /// Returns the URL of this node: `redis://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the TCP port of this node.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the node; its data is lost.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        Client::open(self.url())?.get_connection()
    }

    fn ask<T: FromRedisValue>(&self, command: &[&str]) -> Result<T, Error> {
        let reply = self
            .connect()
            .and_then(|mut connection| redis::cmd(command[0]).arg(&command[1..]).query::<T>(&mut connection));
        reply.map_err(Error::client(format!("run `{}`", command.join(" "))))
    }

    fn is_ok(&self) -> bool {
        self.ask::<String>(&["CLUSTER", "INFO"]).is_ok_and(|info| info.contains("cluster_state:ok"))
    }

    fn reports(&self, field: &str, value: usize) -> bool {
        let line = format!("{field}:{value}\r\n");
        self.ask::<String>(&["CLUSTER", "INFO"]).is_ok_and(|info| info.contains(&line))
    }
}
