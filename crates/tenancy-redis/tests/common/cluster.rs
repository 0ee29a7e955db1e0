//! A cluster of the test's own: three masters on this host.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::{Client, Connection, ProtocolVersion};

use super::aio::PATIENCE;
use super::{ask, dump_all};

/// Masters, which end with the test.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) masters: Vec<Master>,
    folder: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Master {
    child: Child,
    pub(crate) port: u16,
    bus: u16,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-redis-cluster-{}-{number}", process::id()));
        let mut cluster = Self { masters: Vec::new(), folder };
        for (first, last) in [(0, 5460), (5461, 10922), (10923, 16383)] {
            cluster.meet();
            let master = cluster.masters.last().expect("one");
            let () = ask(&mut master.raw(), &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
        cluster.settle();
        cluster
    }

    /// A master that connections of before don't know, with one slot that was another's, and had no keys.
    pub(crate) fn add_master_of(&mut self, slot: u16) {
        self.meet();
        let raws: Vec<_> = self.masters.iter().map(Master::raw).collect();
        self.until("all know the new one", || {
            self.masters.iter().all(|master| master.says("cluster_known_nodes", self.masters.len()))
        });
        let id: String = ask(&mut self.masters.last().expect("one").raw(), "CLUSTER MYID");
        // The new one first: it then has it on the others' word too.
        for mut raw in raws.into_iter().rev() {
            let () = ask(&mut raw, &format!("CLUSTER SETSLOT {slot} NODE {id}"));
        }
        self.settle();
    }

    /// A new master, which the first one knows.
    fn meet(&mut self) {
        let number = self.masters.len();
        let master = Master::start(&self.folder.join(number.to_string()));
        let () = ask(&mut master.raw(), &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        if let Some(first) = self.masters.first() {
            let () = ask(&mut first.raw(), &format!("CLUSTER MEET 127.0.0.1 {} {}", master.port, master.bus));
        }
        self.masters.push(master);
    }

    fn settle(&self) {
        let number = self.masters.len();
        self.until("each has slots, and all agree", || {
            self.masters.iter().all(|master| master.is_ok() && master.says("cluster_size", number))
        });
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_mins(1);
        while !is_so() {
            assert!(Instant::now() < end, "within 60 s, not so: {what} {self:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// A client that speaks RESP2 or RESP3.
    pub(crate) fn client(&self, resp: u8) -> ClusterClient {
        let addresses = self.masters[..1].iter().map(|master| format!("redis://127.0.0.1:{}", master.port));
        let protocol = if resp == 2 { ProtocolVersion::RESP2 } else { ProtocolVersion::RESP3 };
        let builder = ClusterClientBuilder::new(addresses).use_protocol(protocol);
        builder.connection_timeout(PATIENCE).build().expect("a client")
    }

    /// The keys of each master that begin with `prefix`, with their values.
    pub(crate) fn dump(&self, prefix: &str) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
        let own = |master: &Master| {
            let all = dump_all(&mut master.raw()).into_iter();
            let own = all.filter(|(key, _)| key.starts_with(prefix.as_bytes()));
            own.map(|(key, (value, _))| (key, value)).collect()
        };
        self.masters.iter().map(own).collect()
    }
}

impl Master {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        // A free port may be another's a moment later.
        (0..5).find_map(|_| Self::try_start(folder)).expect("redis-server starts on free ports")
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let [port, bus] = free_ports();
        let socket = folder.join("socket");
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--cluster-port", &bus.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes", "--dir"])
            .arg(folder)
            .arg("--unixsocket")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `cargo xtask test redis` does it");
        let mut master = Self { child, port, bus };
        let end = Instant::now() + Duration::from_secs(30);
        // On the port another's may answer; on the socket it does itself, once both ports are its own.
        let own = Client::open(format!("unix://{}", socket.display())).expect("an address");
        while own.get_connection().is_err() {
            if master.child.try_wait().expect("a child").is_some() {
                return None;
            }
            assert!(Instant::now() < end, "redis-server did not listen within 30 s");
            thread::sleep(Duration::from_millis(10));
        }
        Some(master)
    }

    /// A client of this master alone.
    pub(crate) fn client(&self) -> Client {
        Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("an address")
    }

    pub(crate) fn raw(&self) -> Connection {
        self.client().get_connection().expect("a connection")
    }

    fn is_ok(&self) -> bool {
        ask::<String>(&mut self.raw(), "CLUSTER INFO").contains("cluster_state:ok")
    }

    fn says(&self, what: &str, number: usize) -> bool {
        ask::<String>(&mut self.raw(), "CLUSTER INFO").contains(&format!("{what}:{number}\r\n"))
    }
}

fn free_ports() -> [u16; 2] {
    // Both are held, so that they are two.
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

impl Drop for Master {
    fn drop(&mut self) {
        // Both fail where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.masters.clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
